"""The pictures that a command line names: files, folders, globs and standard input; and the boxes given for them."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.errors import BoxError, ImageError
from wordsight.suffixes import PICTURES

if TYPE_CHECKING:
    from wordsight.detect import Boxes
    from wordsight.detect.boxes import Polygon

_OF_ONE = (".jpg", ".jpeg", ".jpe", ".bmp")

STDIN = "-"


@dataclass(frozen=True)
class Input:
    """One picture.

    Attributes:
        path: of the file, or "-".
        place: its path inside the folder that was named; its own name otherwise.
        page: which of several pictures in the file, from 1; None: its only one.
        document: the file that its own document is written to.
        data: what standard input held.
    """

    path: str
    place: Path
    page: int | None = None
    document: Path | None = None
    data: bytes | None = None

    @property
    def source(self) -> str | bytes:
        """Where the picture is, or itself."""
        return self.path if self.data is None else self.data

    @property
    def name(self) -> str:
        """The path, fit to be printed (a file name may hold bytes that are no text)."""
        return "<stdin>" if self.is_stdin else os.fsencode(self.path).decode("utf-8", "replace")

    @property
    def is_stdin(self) -> bool:
        """Whether it comes from standard input."""
        return self.path == STDIN


def expand(paths: Iterable[str]) -> tuple[list[Input], list[str]]:
    """The pictures that `paths` name, in their order, folders sorted; and one sentence for each that names none.

    A path that does not exist and has `*`, `?` or `[` in it is a glob (`**` goes through folders), for shells that
    do not expand them. Other files that do not exist stay in the list: reading them says what is wrong.
    """
    inputs: list[Input] = []
    problems: list[str] = []
    for path in paths:
        found = list(_expand(path, problems))
        if not found:
            what = "holds no pictures" if Path(path).is_dir() else "no file matches"
            problems.append(f"{path}: {what}: check the path")
        inputs += found
    return inputs, problems


def with_pages(inputs: Iterable[Input], wanted: str | None = None) -> Iterator[Input]:
    """The inputs, files of several pages once for each page that is `wanted` (as in `2-5`; None: all).

    A file that cannot be opened stays as it is: reading it says what is wrong.

    Raises:
        ConfigError: `wanted` names no pages.
    """
    from wordsight.imaging import open_pages

    for item in inputs:
        numbers: list[int] = []
        if wanted is not None or Path(item.path).suffix.lower() not in _OF_ONE:
            try:
                with open_pages(item.source, name=item.name) as pages:
                    if wanted is not None or len(pages) > 1:
                        numbers = pages.numbers(wanted)
            except ImageError:
                numbers = []
        if not numbers:
            yield item
        for number in numbers:
            place = item.place.with_name(f"{item.place.stem}-{number}{item.place.suffix}")
            yield replace(item, page=number, place=place)


def _expand(path: str, problems: list[str]) -> Iterator[Input]:
    if path == STDIN:
        yield Input(STDIN, Path("stdin"))
    elif Path(path).is_dir():
        yield from _folder(path, problems)
    elif glob.has_magic(path) and not os.path.lexists(path):
        for match in sorted(glob.glob(path, recursive=True)):  # noqa: PTH207  (takes absolute patterns, too)
            yield from _expand(match, problems)
    else:
        yield Input(path, Path(Path(path).name))


def _folder(folder: str, problems: list[str]) -> Iterator[Input]:
    def refused(error: OSError) -> None:
        problems.append(f"{error.filename}: {error.strerror}: its pictures are left out")

    for parent, folders, files in os.walk(folder, onerror=refused):
        # What is hidden was not meant: thumbnails, and the ._* that macOS puts beside every file on foreign disks.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(name for name in files if not name.startswith(".")):
            path = Path(parent, file)
            if path.suffix.lower() in PICTURES:
                yield Input(str(path), path.relative_to(folder))


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
