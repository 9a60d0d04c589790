"""Writing files so that nothing looks finished that is not: new beside old, moved over when it is whole."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4


def cache_folder() -> Path:
    """Where what can be made again is kept from run to run, in the user's cache folder; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wordsight"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a path beside `path`, with the same ending, to write to; at the end the new file replaces the old one.

    Whatever goes wrong before leaves the old one as it was, and nothing beside it. Permissions are kept, and a link
    keeps pointing to the file. What is there and no file (a pipe, /dev/stdout) is written to as it is.

    Raises:
        OSError: it cannot be written; `filename` is `path`, also where the disk is full, which says no name by itself.
    """
    path = Path(path)
    whole = path.resolve()
    if whole.exists() and not whole.is_file():
        with _named(path):
            yield path
        return
    # Process ids repeat on machines that share a disk
    new = whole.with_name(f".{whole.stem}.{uuid4().hex[:12]}.new{whole.suffix}")
    with _named(path, new):
        try:
            yield new
            _move(new, whole)
        finally:
            new.unlink(missing_ok=True)


@contextmanager
def filling(folder: str | Path, last: str | None = None) -> Iterator[Path]:
    """Gives a hidden folder inside `folder` to write files into; at the end they move over, `last` as the last one.

    Until then what `folder` held is whole. `last` is the file without which the others are nothing (labels.tsv,
    pack.json): the earlier one goes before the first file comes, so that a process which dies meanwhile leaves a set
    that does not look finished, never new files under old labels. Other files stay, and permissions are kept.

    Raises:
        OSError: something cannot be written; `filename` is where it would have been in `folder`.
    """
    folder = Path(folder)
    with _named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    with _named(folder, new):
        try:
            yield new
            names = sorted(file.relative_to(new) for file in new.rglob("*") if not file.is_dir())
            if last is not None:
                (folder / last).unlink(missing_ok=True)
                names.sort(key=Path(last).__eq__)
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                _move(new / name, folder / name)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file in UTF-8, lines ended by a line feed everywhere, all of it or nothing; see `replacing`."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def lock(file: IO[Any]) -> bool:
    """Locks an open file until it is closed. False: another process holds it. True where the system has no locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except BlockingIOError:
        return False
    return True


def read_regular(path: str | Path, limit: int = 1 << 30, at: tuple[int, int] | None = None) -> bytes:
    """The content of a file that something else names: a data set, a pack, a checkpoint; or its part, (offset, length).

    Raises:
        OSError: it cannot be read, is no regular file (a pipe would be waited for, a device read for ever), or has more
            than `limit` bytes, or ends before the part does.
    """
    # Not blocked by a pipe that nobody writes to; what was opened is what is looked at
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            kind = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
            raise OSError(kind, "a folder" if kind == errno.EISDIR else "not a regular file", str(path))
        start, length = at or (0, found.st_size)
        if start + length > found.st_size:  # read(n) would allocate n bytes first
            raise OSError(errno.EINVAL, f"it ends before byte {start + length}", str(path))
        if length > limit:
            raise OSError(errno.EFBIG, f"over {limit >> 20} MB", str(path))
        file.seek(start)
        return file.read(length)


def _move(new: Path, old: Path) -> None:
    if old.is_file():
        shutil.copymode(old, new)
    new.replace(old)


@contextmanager
def _named(path: Path, new: Path | None = None) -> Iterator[None]:
    """Errors of writing name what was to be written: `path` or, where `new` stands for it, what is below."""
    try:
        yield
    except OSError as error:
        file = error.filename
        if isinstance(file, str) and new is not None and Path(file).is_relative_to(new):
            file = str(path / Path(file).relative_to(new))
        elif file is not None:
            raise  # of another file, which was read
        raise OSError(error.errno, error.strerror or str(error), file or str(path)) from error
