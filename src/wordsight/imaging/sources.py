"""What users may pass as a picture (a file, bytes, pixels, a Pillow image), and errors with cures for mistakes."""

import inspect
import io
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.errors import ConfigError, ImageError


class Readable(Protocol):
    """An open binary file, a `BytesIO`, an upload: it is read from the beginning."""

    def read(self) -> Any:
        """All its bytes."""


class Pixels(Protocol):
    """Anything that NumPy can turn into an array, such as a PyTorch tensor."""

    def __array__(self) -> Any:
        """The array."""


Source: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Pixels | Sequence[Any] | Image.Image
)
"""A picture: a path, the bytes of a file, an open file, an array or tensor, nested lists, or a Pillow image."""

Opened: TypeAlias = BinaryIO | NDArray[Any] | Image.Image

_LONGEST_NAME = 200  # characters of a name that messages show in full
_PIECE = 60  # characters at either end of a longer one
_ADDRESS = re.compile(r"(https?|ftp|s3|gs)://", re.IGNORECASE)
# The beginnings of images and PDFs in base64; the last and shortest is a bitmap's.
_BASE64 = re.compile(
    r"(/9j/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK|JVBERi|AAAA[A-Z]GZ0eX|Qk)[A-Za-z0-9+/_\s-]{90,}={0,2}\s*"
)


def name_of(source: Source) -> str:
    """The name of a picture in results: its path, or its type in angle brackets."""
    if isinstance(source, str):
        return source
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, Image.Image):
        return "<image>"
    if hasattr(source, "read"):
        name = getattr(source, "filename", None) or getattr(source, "name", None)
        return name if isinstance(name, str) else "<stream>"
    return "<array>"


def opened(source: Source, name: str | None) -> tuple[Opened, str]:
    """An open file, an array or a Pillow image, and its name in messages.

    Raises:
        ImageError: it is none of these, or a path that cannot be opened.
    """
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return _open_file(path, _shown(name or path))
    name = name and _shown(name)
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source), name or "the image in memory"
    if isinstance(source, np.ndarray):
        return source, name or "the image array"
    if isinstance(source, Image.Image):
        return source, name or "the Pillow image"
    if hasattr(source, "read"):
        return io.BytesIO(_read_all(source, name or "the stream")), name or "the stream"
    if hasattr(source, "__array__"):
        return _from_tensor(source, name or "the image array"), name or "the image array"
    if isinstance(source, list | tuple):
        return _from_lists(source, name or "the list"), name or "the list"
    raise ImageError(
        f"{name or 'the image'} is of type {type(source).__name__}: pass a path, the bytes of an image file, "
        "an open file, an array or a Pillow image"
    )


def _open_file(path: str, name: str) -> tuple[BinaryIO, str]:
    if not path:  # the working directory, to the system
        raise ImageError("the path is empty: give an image file")
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{name} is a folder: give an image file in it")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
            raise ImageError(f"{name} is not a regular file: give an image file, or pass its bytes")
        return Path(path).open("rb"), name
    except FileNotFoundError:
        raise ImageError(_no_path(path) or f"{name} does not exist: check the path") from None
    except PermissionError:
        raise ImageError(f"{name} is not readable: check its permissions") from None
    except (OSError, ValueError) as error:  # a name with a NUL, too long, a loop of links, a disk error
        raise ImageError(_no_path(path) or f"{name} cannot be opened ({reason(error)}): check the path") from None


def _no_path(text: str) -> str | None:
    """The message for a text that is not a path but a data URI, base64 or an address; None for others."""
    if text[:5].lower() == "data:":
        return "this is a data URI, not a path: pass its bytes, base64.b64decode(text.split(',', 1)[1])"
    if _BASE64.fullmatch(text):
        return "this is text in base64, not a path: pass its bytes, base64.b64decode(text)"
    if _ADDRESS.match(text):
        return f"{_shown(text)} is an address, and nothing is fetched: download it, pass path or bytes"
    return None


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file is that of a data URI, or of an image in base64."""
    return head[:5].lower() == b"data:" or _BASE64.fullmatch(head.decode("latin-1")) is not None


def several(sources: Iterable[Source]) -> Iterable[Source]:
    """The pictures given to what reads several: Python would take one path for its letters, one array for its rows.

    Raises:
        ConfigError: it is one picture.
    """
    given: Any = sources
    shape: tuple[int, ...] = getattr(given, "shape", ())
    of_one = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    one = isinstance(given, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    if one or of_one or hasattr(given, "read"):
        raise ConfigError(f"{_shown(name_of(given))} is one picture where several are expected: put it in a list")
    return sources


def _read_all(stream: Any, name: str) -> bytes:
    if inspect.iscoroutinefunction(stream.read):  # Starlette's and FastAPI's UploadFile keeps its file there
        stream = getattr(stream, "file", stream)
        if inspect.iscoroutinefunction(stream.read):
            raise ImageError(f"{name} is read asynchronously: pass its bytes, await file.read()")
    try:
        if getattr(stream, "seekable", lambda: hasattr(stream, "seek"))():
            stream.seek(0)  # code that has just written or checked it leaves it at the end
        data = stream.read()
    except (OSError, ValueError, UnicodeDecodeError) as error:  # closed, write-only, binary data read as text
        raise ImageError(f"{name} cannot be read ({reason(error)}): open it again with open(path, 'rb')") from None
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ImageError(f"{name} gives {type(data).__name__}, not bytes: open it with open(path, 'rb')")
    return bytes(data)


def _from_tensor(source: Any, name: str) -> NDArray[Any]:
    try:
        for step in ("detach", "cpu"):  # PyTorch has no array for tensors with gradients or on other devices
            source = getattr(source, step, lambda source=source: source)()
        if str(getattr(source, "dtype", None)) == "torch.bfloat16":  # which NumPy does not have
            source = source.float()
        array = np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ImageError(f"{name} cannot be converted to an array ({reason(error)}): pass a NumPy array") from None
    channels_first = array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4)
    return array.transpose(1, 2, 0) if channels_first else array  # as tensors usually are


def _from_lists(source: Sequence[Any], name: str) -> NDArray[Any]:
    if source and all(isinstance(item, str | os.PathLike | bytes | Image.Image) for item in source):
        raise ImageError(f"{name} holds {len(source)} pictures: pass one at a time, or all of them to iter_read")
    try:
        array = np.asarray(source)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise ImageError(f"{name} is a {type(source).__name__} that is not a picture: pass rows of equal length")
    return array


def reason(error: Exception) -> str:
    """The message of another library's error, in one line."""
    return _shown(" ".join(str(error).split())) or type(error).__name__


def _shown(text: str) -> str:
    """Text for a message: control characters escaped, and only the two ends of a long text."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return printable if len(printable) <= _LONGEST_NAME else f"{printable[:_PIECE]} ... {printable[-_PIECE:]}"
