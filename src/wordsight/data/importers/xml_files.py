"""Data sets annotated in XML: ICDAR 2003, Street View Text, and SCUT-CTW1500, whose test part is text files."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from wordsight.data.importers.unpacked import DataSet, Unpacked, box, lines
from wordsight.data.scenes import Scene
from wordsight.errors import DataError


def read_rectangles(files: Unpacked, pattern: str) -> Iterator[Scene]:
    """ICDAR 2003's and SVT's XML, which tags only some of the words, those of SVT in capitals."""
    for path in files.find(pattern):
        split = files.split(path)
        for image in _root(path).iter("image"):
            name = (image.findtext("imageName") or "").strip()
            words = []
            for number, tagged in enumerate(image.iter("taggedRectangle"), start=1):
                where = f"{path}: {name}: rectangle {number}"
                try:
                    corners = box(*(float(tagged.attrib[key]) for key in ("x", "y", "width", "height")))
                except (KeyError, ValueError):
                    files.skip("polygon is not numbers", where)
                    continue
                words.append(files.word(where, corners, tagged.findtext("tag")))
            yield from files.scene(name, words, split=split, size=_size(image))


def _size(image: ET.Element) -> tuple[int, int] | None:
    """Width and height of the annotated picture: copies of SVT in other sizes are in circulation."""
    element = next((found for tag in ("resolution", "Resolution") if (found := image.find(tag)) is not None), None)
    try:
        return None if element is None else (int(float(element.attrib["x"])), int(float(element.attrib["y"])))
    except (KeyError, ValueError):
        return None


def read_ctw1500(files: Unpacked) -> Iterator[Scene]:
    """SCUT-CTW1500: XML with 14 points for each text line (train), `0001001.txt` of x1,y1,...,x14,y14,####text (test).

    Labelled by text line, not by word.
    """
    for path in files.find(r"\d{4}\.xml", r"000\d{4}\.txt"):
        words = []
        if path.suffix.lower() == ".xml":
            for number, item in enumerate(_root(path).iter("box"), start=1):
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


def _root(path: Path) -> ET.Element:
    """The root of an XML file, in the encoding that it declares.

    Raises:
        DataError: it cannot be opened or is broken.
    """
    try:
        return ET.parse(path).getroot()  # noqa: S314 the user's own file; expat limits entity expansion
    except (OSError, ET.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: is not XML ({error}): download it again") from error


DATA_SETS = {
    "ic03": DataSet("ICDAR 2003", "none stated", "www.iapr-tc11.org (ICDAR 2003 Robust Reading)", True,
                    partial(read_rectangles, pattern=r"words\.xml")),
    "svt": DataSet("Street View Text", "none stated", "vision.ucsd.edu/~kai/svt", True,
                   partial(read_rectangles, pattern=r"(train|test)\.xml")),
    "ctw1500": DataSet("SCUT-CTW1500", "non-commercial research", "github.com/Yuliang-Liu/Curve-Text-Detector", False,
                       read_ctw1500),
}  # fmt: skip
