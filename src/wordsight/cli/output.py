"""Where results go: standard output as they come, or a file that is written atomically; whether they can; documents."""

import contextlib
import json
import os
import re
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from wordsight.cli.options import say
from wordsight.errors import ConfigError, WordsightError, printable
from wordsight.files import lock, replacing

if TYPE_CHECKING:
    from PIL import Image

    from wordsight.export.format import Format
    from wordsight.results import Photo

Write = Callable[[str], None]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tabs and line breaks


def check_folder(path: Path) -> None:
    """Checks, before minutes of work and not after, that a folder exists or can be created, and can be written to.

    Raises:
        ConfigError: it cannot be.
    """
    whole = path.resolve()
    there = next(place for place in (whole, *whole.parents) if place.exists())
    if not there.is_dir():
        raise ConfigError(f"{path}: {there} is a file, but a folder is needed: choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: {there} is not writable: choose another place")


def check_file(path: Path, *, picture: bool = False) -> None:
    """Checks, before the work and not after, that there is a folder for a file.

    Raises:
        ConfigError: it is missing; or Pillow writes no `picture` with that extension.
    """
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}: create it first")
    if picture:
        from PIL import Image

        if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
            raise ConfigError(f"{path}: {path.suffix or 'no ending'} is not an image format: choose .png or .jpg")


def save_picture(picture: "Image.Image", path: Path) -> None:
    """Writes a picture in the format of the extension.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with replacing(path) as new:
            picture.save(new)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be written ({error}): choose another place") from None


@contextlib.contextmanager
def opened(out: Path | None) -> Iterator[Write]:
    """Yields a function that writes text, in UTF-8, to `out` or to standard output.

    On a terminal, control characters (in the name of a file, for example) are shown as Python escapes.

    A file is written as `out`.part and moved into place at the end: the write is atomic, and an old
    file survives a failure; the part stays if something fails. If standard output is closed early (`| head`), the
    process ends silently.

    Raises:
        OSError: the file cannot be written.
        ConfigError: another process is writing it.
    """
    if out is None:
        with _standard_output() as write:
            yield write
        return
    out = out.resolve()  # a link keeps pointing to the file
    if not can_wait(out):  # moving a file there would replace a pipe or /dev/null
        with out.open("w", encoding="utf-8") as special:
            yield lambda text: _write(special.write, text)
        return
    part = _part(out)
    with _alone(part, "a") as file:
        file.truncate(0)

        def write_through(text: str) -> None:
            _write(file.write, text)
            file.flush()

        yield write_through
        part.replace(out)


def can_wait(out: Path) -> bool:
    """Whether a file can be written beside `out` and moved there: not if it is a pipe or a device."""
    return out.is_file() or not out.exists()


class KeptLines:
    """JSON lines of photos, collected in `out`.part, where the same command finds them again after it was stopped.

    Args:
        out: the file that is to appear at the end.
        command: identifies everything that decides what is read in a photo. Every line of the part contains it.

    Raises:
        ConfigError: the part is another command's, or a process is writing it.
        OSError: it cannot be written.
    """

    def __init__(self, out: Path, command: str) -> None:
        self._out = out.resolve()
        self._path = _part(self._out)
        self._end = f', "command": {json.dumps(command)}}}\n'.encode()
        self._file = _alone(self._path, "a+b")
        self._places: defaultdict[str, deque[int]] = defaultdict(deque)  # where the lines of each photo begin
        self.problems: list[str] = []
        """Problems of the photos that had been read before."""
        self._load()
        self._left = {name: len(places) for name, places in self._places.items()}
        self._fresh = not self._places

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, name: str) -> bool:
        """Whether a photo has been read before; as often as it has."""
        if not self._left.get(name):
            return False
        self._left[name] -= 1
        return True

    def add(self, name: str, line: str) -> None:
        """Writes a photo, as one JSON object."""
        if not self._fresh:
            self._places[name].append(self._file.seek(0, os.SEEK_END))
        self._file.write(line.rstrip("\n").removesuffix("}").encode("utf-8", "replace") + self._end)
        self._file.flush()

    def finish(self, names: Iterable[str]) -> None:
        """Writes the lines to `out`, in the order of `names`, and removes the part."""
        with replacing(self._out) as new, new.open("wb") as file:
            self._file.seek(0)
            for line in self._file if self._fresh else self._ordered(names):
                file.write(line.removesuffix(self._end) + b"}\n")
        self._path.unlink()

    def _ordered(self, names: Iterable[str]) -> Iterator[bytes]:
        for name in names:
            if self._places.get(name):
                self._file.seek(self._places[name].popleft())
                yield self._file.readline()

    def _load(self) -> None:
        place = self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):  # killed, or out of room, while it was written
                self._file.truncate(place)
                return
            if not line.endswith(self._end):
                cure = "run that one to its end, delete it, or choose another --out"
                raise ConfigError(f"{self._path} was left by another command: {cure}")
            photo: dict[str, Any] = json.loads(line)
            self._places[photo["source"]].append(place)
            self.problems += [f"{photo['source']}: {problem}" for problem in photo["problems"]]
            place += len(line)


def _part(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


def _alone(path: Path, mode: str) -> IO[Any]:
    """Opens a file and locks it, where the system has file locks, so that no second process writes to it."""
    file: IO[Any] = path.open(mode, encoding=None if "b" in mode else "utf-8", newline=None if "b" in mode else "")
    if not lock(file):
        file.close()
        raise ConfigError(f"{path} is being written by another process: choose another --out")
    return file


@contextlib.contextmanager
def _standard_output() -> Iterator[Write]:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")

    def write(text: str) -> None:
        if sys.stdout.isatty():
            text = _CONTROL.sub(lambda found: printable(found[0]), text)
        _write(sys.stdout.write, text)
        sys.stdout.flush()

    try:
        yield write
    except BrokenPipeError:
        # The interpreter flushes standard output once more when it ends; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # what a shell shows for a process that SIGPIPE ended


def _write(write: Callable[[str], int], text: str) -> None:
    write(text.encode("utf-8", "replace").decode())


def document_of(name: str, *, crops: bool, named: bool, chars: bool) -> "Format":
    """The format of that name; in text, several crops become lines `name TAB text`, several photos get headings."""
    from wordsight.export import find_format
    from wordsight.export.format import Format, title

    found = find_format(name)
    if name in ("json", "jsonl") and not chars:
        end = "\n" if name == "jsonl" else ""
        return replace(found, item=lambda photo, *_: photo.to_json(chars=False) + end)
    if name != "text" or not (crops or named):
        return found
    if crops:
        head = "{}\t".format if named else "".format
        return Format(lambda photo, *_: f"{head(printable(photo.source))}{photo.text}\n")
    return Format(lambda photo, *_: f"==> {printable(title(photo))} <==\n{found.item(photo, 1, None)}", separator="\n")


def remarks(photo: "Photo") -> Iterator[str]:
    """Remarks on a picture besides its problems: its notes, and that no text was found."""
    yield from photo.notes
    if not photo.text and not photo.problems:
        left_out = len(photo.rejected)
        words = "a word was" if left_out == 1 else f"{left_out} words were"
        yield "no text found" + (f"; {words} too doubtful, see --min-confidence" if left_out else "")


def put(path: Path, option: str, write: Callable[[], None]) -> bool:
    """Writes a file, creating its folder. Returns whether that worked; if not, it has printed why."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write()
    except (WordsightError, OSError) as error:
        say(f"{path} cannot be written ({error}): check {option}")
        return False
    return True


def free(path: Path, taken: set[Path], ending: str) -> Path:
    """A file name for what belongs to the picture `path`: never the picture's own, and none is given twice."""
    first, last = ending.rsplit(".", 1)
    number, name = 1, path.with_name(f"{path.stem}{ending}")
    while name in taken:
        number += 1
        name = path.with_name(f"{path.stem}{first}-{number}.{last}")
    taken.add(name)
    return name
