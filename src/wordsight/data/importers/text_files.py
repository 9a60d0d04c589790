"""Data sets with a text file for each picture: ICDAR 2013 and 2015, Total-Text, Uber-Text, RCTW-17 and MLT 2019."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, box, decode, lines
from wordsight.data.scenes import Scene
from wordsight.errors import DataError

_CORNERS = re.compile(r'\s*(-?\d+)[,\s]+(-?\d+)[,\s]+(-?\d+)[,\s]+(-?\d+)[,\s]+"(.*)"\s*')

# Long arrays span several lines, and a text may contain whatever the other fields contain, quotes included.
_ENTRY = re.compile(
    r"x:\s*\[\[(?P<x>[^\]]*)\]\]\s*,\s*y:\s*\[\[(?P<y>[^\]]*)\]\]\s*,\s*ornt:\s*\[(?P<ornt>[^\]]*)\]\s*,"
    r"\s*transcriptions:\s*\[(?P<text>.*?)\]\s*(?=^x:\s*\[\[|\Z)",
    re.DOTALL | re.MULTILINE,
)

# Of MLT 2019; Symbols, Mixed and None do not determine a script.
_SCRIPTS = {
    "Latin": "Latn", "Arabic": "Arab", "Bangla": "Beng", "Hindi": "Deva", "Chinese": "Hani", "Japanese": "Jpan",
    "Korean": "Kore", "Symbols": "", "Mixed": "", "None": "",
}  # fmt: skip


def read_icdar2013(files: Unpacked) -> Iterator[Scene]:
    """ICDAR 2013, challenge 2: two opposite corners and a quoted text, with spaces in `gt_100.txt` (train), with commas
    in `gt_img_1.txt` (test).
    """
    for path in files.once(files.find(r"gt_(img_)?\d+\.txt")):
        words = []
        for where, line in lines(path, "cp1252"):
            if not (found := _CORNERS.fullmatch(line)):
                files.skip("line is not understood", where)
                continue
            x1, y1, x2, y2 = map(int, found.groups()[:4])
            text = re.sub(r'\\(["\\])', r"\1", found[5])
            words.append(files.word(where, box(x1, y1, x2 - x1, y2 - y1), text))
        yield from files.scene(path.stem.removeprefix("gt_"), words, split=files.split(path))


def read_icdar2015(files: Unpacked) -> Iterator[Scene]:
    """ICDAR 2015, challenge 4: `gt_img_1.txt` beside `img_1.jpg`, lines of x1,y1,...,x4,y4,text; ### is illegible.

    Legible words are named word_1, word_2, ... in that order, for each split: the names of the organisers' crops.
    """
    count: Counter[str] = Counter()
    for path in files.once(files.find(r"gt_img_\d+\.txt")):
        split, words = files.split(path), []
        for where, line in lines(path):
            *corners, text = line.split(",", 8)  # the text may have commas, too
            if len(corners) < 8:
                files.skip("line is not understood", where)
                continue
            legible = text.strip() not in ("", "###")
            count[split] += legible
            words.append(files.word(where, corners, text, id=f"word_{count[split]}" if legible else ""))
        yield from files.scene(path.stem.removeprefix("gt_"), words, split=split)


def read_totaltext(files: Unpacked) -> Iterator[Scene]:
    """Total-Text: `poly_gt_img11.txt` beside `img11.jpg`, entries as NumPy and Python 2 print them; # is "do not care".

    x: [[259 313 389 427]], y: [[542 462 417 459]], ornt: [u'c'], transcriptions: [u'PAUL']

    Raises:
        DataError: only the .mat form is there.
    """
    texts, tables = r"(poly_)?gt_img\d+\.txt", r"(poly_)?gt_img\d+\.mat"
    found = files.find(texts, tables)
    if all(path.suffix.lower() == ".mat" for path in found):
        raise DataError(
            f"{found[0]}: the MATLAB format of Total-Text is not supported: download the .txt format from the same page"
        )
    marks = frozenset({"#", "###"})
    for path in files.once([path for path in found if path.suffix.lower() != ".mat"]):
        content, words = decode(path, "cp1252"), []
        entries = list(_ENTRY.finditer(content))
        for number, entry in enumerate(entries, start=1):
            xs, ys = (entry[key].replace(",", " ").split() for key in "xy")
            corners = [value for point in zip(xs, ys, strict=False) for value in point] if len(xs) == len(ys) else []
            legible = entry["ornt"].strip("u'\" ") != "#"
            text = _literal(entry["text"])
            words.append(files.word(f"{path}: entry {number}", corners, text, legible=legible, marks=marks))
        for _ in range(len(re.findall(r"^x:\s*\[\[", content, re.MULTILINE)) - len(entries)):
            files.skip("entry is not understood", str(path))
        name = re.sub(r"^(poly_)?gt_", "", path.stem)
        yield from files.scene(name, words, split=files.split(path))


def _literal(text: str) -> str:
    try:
        return str(ast.literal_eval(text.strip() or "''"))
    except (ValueError, SyntaxError):  # a quote that is not escaped
        return re.sub(r"""^u?['"]|['"]$""", "", text.strip())


def read_ubertext(files: Unpacked) -> Iterator[Scene]:
    """Uber-Text: lines of "x1 y1 x2 y2 ...", text and category, separated by tabs; labelled by text line.

    Written from descriptions, without access to the organisers' files. Categories are not kept.
    """
    for path in files.find(r".*\d\.txt"):
        words = []
        for where, line in lines(path, "cp1252"):
            corners, *fields = line.split("\t")
            if fields:
                words.append(files.word(where, corners.replace(",", " ").split(), fields[0]))
            else:
                files.skip("line is not understood", where)
        yield from files.scene(path.stem.removeprefix("truth_"), words, split=files.split(path))


def read_rctw17(files: Unpacked) -> Iterator[Scene]:
    """RCTW-17: `image_0.txt` of x1,y1,...,x4,y4,difficult,"text", by text line; difficult ones do not count."""
    for path in files.find(r"image_\d+\.txt"):
        words = []
        for where, line in lines(path, "gb18030"):
            *corners, difficult, text = [*line.split(",", 9), "", ""][:10]
            text = text.strip()
            if len(text) > 1 and text[0] == text[-1] == '"':
                text = text[1:-1]
            words.append(files.word(where, corners, text, legible=difficult.strip() == "0"))
        yield from files.scene(path.stem, words, split=files.split(path) or "train")


def read_mlt19(files: Unpacked) -> Iterator[Scene]:
    """MLT 2019, training part: `tr_img_00001.txt` of x1,y1,...,x4,y4,language,text."""
    for path in files.find(r"tr_img_\d+\.txt"):
        words = []
        for where, line in lines(path):
            *corners, language, text = [*line.split(",", 9), "", ""][:10]
            words.append(files.word(where, corners, text, script=_SCRIPTS.get(language.strip())))
        yield from files.scene(path.stem, words, split="train")


DATA_SETS = {
    "ic13": DataSet("ICDAR 2013", "none stated", "rrc.cvc.uab.es/?ch=2", True, read_icdar2013),
    "ic15": DataSet("ICDAR 2015", "CC BY 4.0", "rrc.cvc.uab.es/?ch=4", True, read_icdar2015),
    "totaltext": DataSet("Total-Text", "non-commercial academic use only, no redistribution (terms of 1 October 2026)",
                         "github.com/cs-chan/Total-Text-Dataset", False, read_totaltext),
    "ubertext": DataSet("Uber-Text", "CC BY-SA 4.0", "s3-us-west-2.amazonaws.com/uber-common-public/ubertext", False,
                        read_ubertext),
    "rctw17": DataSet("RCTW-17", "stated by its authors in e-mails only", "rrc.cvc.uab.es and rctw.vlrlab.net", False,
                      read_rctw17),
    "mlt19": DataSet("MLT 2019", "sources disagree: CC BY 4.0 or CC BY-NC 4.0", "rrc.cvc.uab.es/?ch=15", False,
                     read_mlt19),
}  # fmt: skip
