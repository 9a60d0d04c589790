"""The boxes that a file gives for a picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.cli.inputs import Input
from wordsight.errors import BoxError

if TYPE_CHECKING:
    from wordsight.detect import Boxes
    from wordsight.detect.boxes import Polygon


class BoxFile:
    """A file of boxes, from which those of one picture after the other are taken.

    Boxes without a picture's name apply to every picture. A picture is found by its path; else by the end of its path,
    its file name or its file name without suffix, if only one entry of the file matches. An empty list of boxes and an
    empty file say that there is nothing to read.

    Raises:
        BoxError: the file cannot be read.
    """

    def __init__(self, file: Path) -> None:
        from wordsight.detect import read_boxes

        self._file = file
        self._boxes: Boxes = read_boxes(file)
        self._keys: dict[str, list[str]] = {}
        for key in self._boxes:
            for ending in _endings(key) if key is not None else ():
                self._keys.setdefault(ending, []).append(str(key))

    def of(self, picture: Input) -> "list[Polygon]":
        """The picture's boxes.

        Raises:
            BoxError: the file names other pictures, and not this one.
        """
        keys = next((keys for ending in _endings(picture.path) if (keys := self._keys.get(ending))), [])
        if picture.path in self._boxes:
            keys = [picture.path]
        if len(keys) > 1:
            raise BoxError(
                f"{picture.name}: several pictures in {self._file} could be this one: use longer paths there"
            )
        if not keys and self._keys and None not in self._boxes:
            raise BoxError(
                f"{picture.name}: {self._file} has no boxes for it: name the picture there as it is named here"
            )
        return [*self._boxes.get(None, []), *(self._boxes[keys[0]] if keys else [])]


def _endings(path: str) -> Iterator[str]:
    """The path, then without its first folder and so on to the file name, and last that without suffix."""
    parts = Path(path).parts
    for start in range(len(parts)):
        yield "/".join(parts[start:])
    yield Path(path).stem
