"""SCUT-CTW1500: XML with 14 points a line of text (train), `0001001.txt` of x1,y1,...,x14,y14,####text (test)."""

from collections.abc import Iterator

from wordsight.data.importers.tagset import parse
from wordsight.data.importers.unpacked import DataSet, Unpacked, lines
from wordsight.data.scenes import Scene


def read(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the numeric order of their files. They are labelled by lines of text, not by words."""
    for path in files.find(r"\d{4}\.xml", r"000\d{4}\.txt"):
        words = []
        if path.suffix.lower() == ".xml":
            for number, item in enumerate(parse(path).iter("box"), start=1):
                corners = (item.findtext("segs") or "").split(",")
                words.append(files.word(f"{path}: box {number}", corners, item.findtext("label")))
            yield from files.scene(path.stem, words, split="train")
            continue
        for where, line in lines(path):
            outline, mark, text = line.partition(",####")  # the text may have commas, and be ###
            if mark:
                words.append(files.word(where, outline.split(","), text))
            else:
                files.skip("line is not understood", where)
        yield from files.scene(path.stem.removeprefix("000"), words, split="test")


DATA_SETS = {
    "ctw1500": DataSet(
        "SCUT-CTW1500", "non-commercial research", "github.com/Yuliang-Liu/Curve-Text-Detector", False, read
    ),
}
