"""Total-Text: `poly_gt_img11.txt` beside `img11.jpg`, entries as NumPy and Python 2 print them; # is "do not care".

x: [[259 313 389 427]], y: [[542 462 417 459]], ornt: [u'c'], transcriptions: [u'PAUL']
"""

import ast
import re
from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, decode
from wordsight.data.scenes import Scene
from wordsight.errors import DataError

# Long arrays go over several lines, and a text may hold whatever the other fields hold, quotes included.
_ENTRY = re.compile(
    r"x:\s*\[\[(?P<x>[^\]]*)\]\]\s*,\s*y:\s*\[\[(?P<y>[^\]]*)\]\]\s*,\s*ornt:\s*\[(?P<ornt>[^\]]*)\]\s*,"
    r"\s*transcriptions:\s*\[(?P<text>.*?)\]\s*(?=^x:\s*\[\[|\Z)",
    re.DOTALL | re.MULTILINE,
)
_MARKS = frozenset({"#", "###"})


def read(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the numeric order of their files (the .txt form).

    Raises:
        DataError: only the .mat form is there.
    """
    texts, tables = r"(poly_)?gt_img\d+\.txt", r"(poly_)?gt_img\d+\.mat"
    found = files.find(texts, tables)
    if all(path.suffix.lower() == ".mat" for path in found):
        raise DataError(
            f"{found[0]}: the MATLAB format of Total-Text is not supported: download the .txt format from the same page"
        )
    for path in files.once([path for path in found if path.suffix.lower() != ".mat"]):
        content, words = decode(path, "cp1252"), []
        entries = list(_ENTRY.finditer(content))
        for number, entry in enumerate(entries, start=1):
            where = f"{path}: entry {number}"
            xs, ys = (entry[key].replace(",", " ").split() for key in "xy")
            corners = [value for point in zip(xs, ys, strict=False) for value in point] if len(xs) == len(ys) else []
            legible = entry["ornt"].strip("u'\" ") != "#"
            words.append(files.word(where, corners, _text(entry["text"]), legible=legible, marks=_MARKS))
        for _ in range(len(re.findall(r"^x:\s*\[\[", content, re.MULTILINE)) - len(entries)):
            files.skip("entry is not understood", str(path))
        name = re.sub(r"^(poly_)?gt_", "", path.stem)
        yield from files.scene(name, words, split=files.split(path))


def _text(literal: str) -> str:
    try:
        value = ast.literal_eval(literal.strip() or "''")
    except (ValueError, SyntaxError):  # a quote that is not escaped
        return re.sub(r"""^u?['"]|['"]$""", "", literal.strip())
    return str(value)


DATA_SETS = {
    "totaltext": DataSet(
        "Total-Text",
        "non-commercial academic use only, no redistribution (terms of 1 October 2026)",
        "github.com/cs-chan/Total-Text-Dataset",
        False,
        read,
    ),
}
