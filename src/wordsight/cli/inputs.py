"""What the command line names, as a list of pictures: files, folders, globs and standard input."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wordsight.suffixes import PICTURES

STDIN = "-"


@dataclass(frozen=True)
class Input:
    """One picture.

    Attributes:
        path: of the file, or "-".
        place: where it stands below the folder that was named; its own name otherwise.
    """

    path: str
    place: Path

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
            what = "no picture is in it" if Path(path).is_dir() else "no file matches"
            problems.append(f"{path}: {what}: check the path")
        inputs += found
    return inputs, problems


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
        folders.sort()
        for file in sorted(files):
            path = Path(parent, file)
            if path.suffix.lower() in PICTURES:
                yield Input(str(path), path.relative_to(folder))
