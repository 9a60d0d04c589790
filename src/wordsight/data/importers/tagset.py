"""The XML of ICDAR 2003 (`words.xml`) and of Street View Text (`train.xml`, `test.xml`): rectangles by image.

Both sets tag some of the words of their pictures only, SVT in capitals.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from wordsight.data.importers.unpacked import DataSet, Unpacked, box
from wordsight.data.scenes import Scene
from wordsight.errors import DataError


def read_icdar2003(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the order of the file."""
    return _read(files, r"words\.xml")


def read_svt(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the order of the files."""
    return _read(files, r"(train|test)\.xml")


def _read(files: Unpacked, pattern: str) -> Iterator[Scene]:
    for path in files.find(pattern):
        split = files.split(path)
        for image in parse(path).iter("image"):
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
    """Width and height of the picture that was annotated: copies of SVT in other sizes are about."""
    for tag in ("resolution", "Resolution"):
        if (element := image.find(tag)) is not None:
            try:
                return int(float(element.attrib["x"])), int(float(element.attrib["y"]))
            except (KeyError, ValueError):
                return None
    return None


def parse(path: Path) -> ET.Element:
    """The root of an XML file, in the encoding that it says.

    Raises:
        DataError: it cannot be opened or is broken.
    """
    try:
        return ET.parse(path).getroot()  # noqa: S314 the user's own file; expat limits entity expansion
    except (OSError, ET.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: is not XML ({error}): download it again") from error


DATA_SETS = {
    "ic03": DataSet("ICDAR 2003", "none stated", "www.iapr-tc11.org (ICDAR 2003 Robust Reading)", True, read_icdar2003),
    "svt": DataSet("Street View Text", "none stated", "vision.ucsd.edu/~kai/svt", True, read_svt),
}
