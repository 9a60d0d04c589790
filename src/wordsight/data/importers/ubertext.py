"""Uber-Text: a text file for each picture, lines of "x1 y1 x2 y2 ...", text and category between tabs.

Written from descriptions; nobody here has seen the organisers' files.
"""

from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, lines
from wordsight.data.scenes import Scene


def read(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the natural order of their files, labelled by lines of text; categories are not kept."""
    for path in files.find(r".*\d\.txt"):
        words = []
        for where, line in lines(path, "cp1252"):
            corners, *fields = line.split("\t")
            if fields:
                words.append(files.word(where, corners.replace(",", " ").split(), fields[0]))
            else:
                files.skip("line is not understood", where)
        yield from files.scene(path.stem.removeprefix("truth_"), words, split=files.split(path))


DATA_SETS = {
    "ubertext": DataSet(
        "Uber-Text", "CC BY-SA 4.0", "s3-us-west-2.amazonaws.com/uber-common-public/ubertext", False, read
    ),
}
