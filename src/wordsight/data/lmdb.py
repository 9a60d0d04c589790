"""Word archives in the layout of the field: LMDB with `image-%09d`, `label-%09d` (from 1) and `num-samples`."""

import os
from pathlib import Path
from typing import Any

from wordsight.data.sample import Sample
from wordsight.errors import DataError, ImageError
from wordsight.imaging import load_image

# LMDB opens a file once in a process, and what a process opened must not be used in those it forks.
_environments: dict[str, tuple[int, Any]] = {}


def _environment(path: str) -> Any:
    process, environment = _environments.get(path, (0, None))
    if process == os.getpid():
        return environment
    try:
        import lmdb
    except ImportError as error:
        raise DataError(f"{path}: an LMDB archive needs the package lmdb: pip install lmdb") from error
    if environment is not None:
        environment.close()  # the parent's: this closes our copy alone, and only then we may open our own
    try:
        # Readers take no lock: archives lie on read-only and network disks, and nobody writes them.
        environment = lmdb.open(path, readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise DataError(f"{path}: not an LMDB archive ({error}): give the folder that holds data.mdb") from error
    _environments[path] = os.getpid(), environment
    return environment


class LmdbSource:
    """The crops of an LMDB archive, opened on first use in each process; pickling carries the path alone.

    Raises:
        DataError: there is no archive at `path`, it lacks `num-samples`, or the package lmdb is not installed.
    """

    def __init__(self, path: str | Path, *, dataset: str = "", split: str = "") -> None:
        path = Path(path)
        self._path = str((path if path.is_dir() else path.parent).resolve())
        self.dataset = dataset or Path(self._path).name
        self.split = split
        count = self._get("num-samples").decode("ascii", "replace")
        if not count.isdecimal():
            raise DataError(f"{self._path}: num-samples is {count!r}, not a number: rebuild the archive")
        self._count = int(count)

    def _get(self, key: str) -> bytes:
        with _environment(self._path).begin() as transaction:
            value = transaction.get(key.encode())
        if value is None:
            raise DataError(f"{self._path}: the archive has no {key}: rebuild it")
        return bytes(value)

    def _key(self, kind: str, i: int) -> str:
        if not 0 <= i < self._count:
            raise IndexError(f"sample {i} of {self._count}")
        return f"{kind}-{i + 1:09d}"

    def __len__(self) -> int:
        return self._count

    def text(self, i: int) -> str:
        """Label of sample i.

        Raises:
            DataError: it is missing or not UTF-8.
        """
        key = self._key("label", i)
        try:
            return self._get(key).decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{self._path}: {key} is not UTF-8: rebuild the archive") from error

    def __getitem__(self, i: int) -> Sample:
        """Sample i.

        Raises:
            DataError: its image is missing or cannot be decoded.
        """
        key = self._key("image", i)
        try:
            image = load_image(self._get(key), name=f"{self._path}: {key}")
        except ImageError as error:
            raise DataError(str(error)) from error
        return Sample(key, image, self.text(i), dataset=self.dataset, split=self.split)
