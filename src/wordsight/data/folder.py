"""A folder of crops with `labels.tsv`: file name, TAB, text."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wordsight.data.sample import Sample
from wordsight.data.scenes import read_picture, read_text
from wordsight.errors import DataError
from wordsight.files import filling


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts word_2 before word_10, and digits before letters."""
    parts = re.findall(r"(\d+)|(\D+)", name)
    return tuple((0, int(digits), "") if digits else (1, 0, other) for digits, other in parts)


@contextmanager
def filling_data_set(out: str | Path, last: str | None = None) -> Iterator[Path]:
    """As `files.filling`: a folder whose files move to `out` at the end.

    Raises:
        DataError: something cannot be written.
    """
    try:
        with filling(out, last=last) as folder:
            yield folder
    except OSError as error:
        file = error.filename or out
        raise DataError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error


def check_below(image: Path, below: Sequence[Path]) -> None:
    """Refuses a picture, links resolved, that is in none of the folders `below`, which are resolved already.

    What is packed is given to others, and a data set may name any file of this machine.

    Raises:
        DataError: it lies elsewhere, or nowhere.
    """
    try:
        whole = image.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError, a zero byte a ValueError
        raise DataError(f"{image}: cannot be read ({error}): check the path") from error
    if not any(whole.is_relative_to(place) for place in below):
        raise DataError(f"{image}: lies outside {', '.join(map(str, below))}: add --images FOLDER to pack it")


class FolderSource:
    """The crops listed in a folder's `labels.tsv`, in the natural order of their names.

    In the usual data sets, neighbours in that order come from the same scene, whatever the order of the file; `holdout`
    relies on it. `path` is the folder or the file; image names are relative to the folder. Everything after the first
    tab of a line is the label, further tabs included.

    Raises:
        DataError: the label file is missing, not UTF-8, has a line without a tab, or lists a name twice.
    """

    def __init__(self, path: str | Path, *, dataset: str = "") -> None:
        path = Path(path)
        file = path / "labels.tsv" if path.is_dir() else path
        self.folder = file.parent
        self.dataset = dataset or file.resolve().parent.name
        entries: dict[str, str] = {}
        # Only \n ends a line: str.splitlines would also cut labels at U+2028 and its like.
        for number, line in enumerate(read_text(file).split("\n"), start=1):
            line = line.removesuffix("\r")
            if not line:
                continue
            name, tab, text = line.partition("\t")
            if not tab:
                raise DataError(f"{file}: line {number} has no tab: write file name, tab, text")
            if name in entries:
                raise DataError(f"{file}: line {number} repeats {name!r}: list every image once")
            entries[name] = text
        self.names = sorted(entries, key=natural_key)
        self._texts = [entries[name] for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def text(self, i: int) -> str:
        """Label of sample i."""
        return self._texts[i]

    def __getitem__(self, i: int) -> Sample:
        """Sample i.

        Raises:
            DataError: its image is missing or cannot be decoded.
        """
        return Sample(self.names[i], read_picture(self.folder / self.names[i]), self._texts[i], dataset=self.dataset)
