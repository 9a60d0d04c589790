"""Word archives in the layout of the field: LMDB with `image-%09d`, `label-%09d` (from 1) and `num-samples`."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wordsight.data.folder import FolderSource, check_below
from wordsight.data.sample import JoinedSource, Sample, Source
from wordsight.data.scene_words import ScenesSource
from wordsight.data.scenes import read_picture
from wordsight.errors import DataError
from wordsight.files import filling

# LMDB opens a file only once in a process, and what a process has opened must not be used in those that it forks.
_environments: dict[str, tuple[int, Any]] = {}
_FIRST_SIZE = 64 << 20  # bytes that a new archive may have, doubled as needed


def _environment(path: str) -> Any:
    process, environment = _environments.get(path, (0, None))
    if process == os.getpid():
        return environment
    import lmdb

    if environment is not None:
        environment.close()  # our copy of the parent's, which has to be closed before we may open our own
    try:
        # Readers take no lock: archives lie on read-only and network disks, and nobody writes to them.
        environment = lmdb.open(path, readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise DataError(f"{path}: not an LMDB archive ({error}): give the folder that holds data.mdb") from error
    # Reading beyond the end of a memory-mapped file would crash the process, and incomplete downloads are common.
    size = Path(path, "data.mdb").stat().st_size
    wanted = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if size < wanted:
        environment.close()
        raise DataError(f"{path}: data.mdb has {size} of {wanted} bytes: it is truncated, download or copy it again")
    _environments[path] = os.getpid(), environment
    return environment


class LmdbSource:
    """The crops of an LMDB archive, opened on first use in each process; only the path is pickled.

    Raises:
        DataError: there is no archive at `path`, or it lacks `num-samples`.
    """

    def __init__(self, path: str | Path, *, dataset: str = "") -> None:
        path = Path(path)
        self._path = str((path if path.is_dir() else path.parent).resolve())
        self.dataset = dataset or Path(self._path).name
        count = self._get("num-samples").decode("ascii", "replace").strip()
        if not count.isdecimal():
            raise DataError(f"{self._path}: num-samples is {count!r}, not a number: rebuild the archive")
        self._count = int(count)

    @property
    def file(self) -> Path:
        """The archive's `data.mdb`."""
        return Path(self._path, "data.mdb")

    def _get(self, key: str) -> bytes:
        import lmdb

        environment = _environment(self._path)
        try:
            with environment.begin() as transaction:
                value = transaction.get(key.encode())
        except lmdb.Error as error:
            raise DataError(f"{self._path}: {key} cannot be read ({error}): copy the archive again") from error
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

    def labels(self) -> Iterator[tuple[int, str]]:
        """(i, label) of every sample with a readable label, in one pass through the file: for millions of them.

        Raises:
            DataError: the archive is damaged.
        """
        import lmdb

        try:
            with _environment(self._path).begin() as transaction, transaction.cursor() as cursor:
                cursor.set_range(b"label-")
                for key, value in cursor:
                    number = key.removeprefix(b"label-")
                    if len(number) == len(key):
                        return
                    if len(number) != 9 or not number.isdigit() or not 1 <= int(number) <= self._count:
                        continue
                    try:
                        text = value.decode()
                    except UnicodeDecodeError:
                        continue
                    yield int(number) - 1, text
        except lmdb.Error as error:
            raise DataError(f"{self._path}: the labels cannot be read ({error}): copy the archive again") from error

    def __getitem__(self, i: int) -> Sample:
        """Sample i.

        Raises:
            DataError: its image is missing or cannot be decoded.
        """
        key = self._key("image", i)
        image = read_picture(self._get(key), f"{self._path}: {key}")
        return Sample(key, image, self.text(i), dataset=self.dataset)


def write_lmdb(samples: Iterable[tuple[bytes, str]], out: Path) -> int:
    """Writes an archive into the folder `out`, which stays as it was until all is written; returns the sample count.

    Args:
        samples: encoded pictures, as files hold them, and their labels.
        out: the folder; an archive in it is replaced.

    Raises:
        DataError: the archive cannot be written.
        OSError: the folder cannot be written.
    """
    import lmdb

    with filling(out, last="data.mdb") as folder:
        try:
            with lmdb.open(str(folder), map_size=_FIRST_SIZE, lock=False) as environment:
                count = 0
                for count, (picture, label) in enumerate(samples, 1):
                    _put(environment, {f"image-{count:09d}": picture, f"label-{count:09d}": label.encode()})
                _put(environment, {"num-samples": str(count).encode()})
        except lmdb.Error as error:  # "where: why"; a full disk is an input/output error to it
            why = str(error).rsplit(": ", 1)[-1]
            raise DataError(f"{out}: cannot be written ({why}): check free space, or choose another --out") from error
        return count


def _put(environment: Any, values: Mapping[str, bytes]) -> None:
    import lmdb

    while True:
        try:
            with environment.begin(write=True) as transaction:
                for key, value in values.items():
                    transaction.put(key.encode(), value)
        except lmdb.MapFullError:
            environment.set_mapsize(2 * environment.info()["map_size"])
        else:
            return


def encoded(source: Source, i: int, below: Sequence[Path]) -> tuple[bytes, str]:
    """Sample i as an encoded picture and its label: the file itself from a folder, otherwise a PNG.

    Only pictures in the folders `below`, links resolved, are packed, whatever labels.tsv or scenes.jsonl name.

    Raises:
        DataError: its image is missing, lies elsewhere or cannot be decoded.
    """
    if isinstance(source, JoinedSource):
        part, i = source.locate(i)
        return encoded(source.parts[part], i, below)
    if isinstance(source, FolderSource):
        check_below(source.folder / source.names[i], below)
    elif isinstance(source, ScenesSource):
        check_below(source.scenes[source.words[i][0]].image, below)
    sample = source[i]
    if isinstance(source, FolderSource):
        return (source.folder / source.names[i]).read_bytes(), sample.text
    png = io.BytesIO()
    Image.fromarray(sample.image).save(png, "PNG")
    return png.getvalue(), sample.text
