"""Image files, bytes, arrays and Pillow images to upright RGB arrays; anything unreadable is an `ImageError`.

A source may have several pictures: the pages of a TIFF or PDF, the frames of an animation.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from wordsight.errors import ConfigError, ImageError, pip_install
from wordsight.imaging.frames import check_count, counted
from wordsight.imaging.pixels import from_array, from_pillow
from wordsight.imaging.sources import Source, is_text, opened, reason

MAX_PIXELS = 100_000_000
"""Default pixel limit: 300 MB for the array, and some 400 MB more during decoding."""

DPI = 200
"""Default pixels per inch at which PDF pages are rendered: 10-point letters are 20 pixels high."""

# Baseline JPEGs have one scan, progressive ones some ten. Each takes time in proportion to the picture's size, but only
# a few bytes: 900 kB of them took 36 s.
_MAX_SCANS = 200
_CHECKED = 1 << 28  # bytes; in longer files the time is in proportion to the file
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # except those within a scan


class _Tiff(TiffImageFile):
    """Pillow's decoder, without its second check of the size (and its warning), which the pixel limit has replaced."""

    def load_prepare(self) -> None:
        """Allocates the picture, which Pillow would do after its check."""
        if getattr(self, "_tile_size", self.size) == self.size:
            ImageFile.ImageFile.load_prepare(self)
        else:
            super().load_prepare()


def _heif(stream: BinaryIO) -> ImageFile.ImageFile:
    with _optional("pillow_heif"):
        from pillow_heif import HeifImageFile

    image: ImageFile.ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return image


def _avif(stream: BinaryIO) -> ImageFile.ImageFile:
    from PIL.AvifImagePlugin import AvifImageFile

    return AvifImageFile(stream)


_Decoder = Callable[[BinaryIO], ImageFile.ImageFile]

# The decoders are called directly and not through Image.open, which would run any of Pillow's forty formats (even
# Ghostscript) and warn about decompression bombs according to a process-wide setting that is not ours to change.
_DECODERS: tuple[tuple[tuple[bytes, ...], _Decoder], ...] = (
    ((b"\xff\xd8\xff",), JpegImageFile),
    ((b"\x89PNG\r\n\x1a\n",), PngImageFile),
    ((b"GIF87a", b"GIF89a"), GifImageFile),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _Tiff),
    ((b"BM",), BmpImageFile),
)
_BOXED: tuple[tuple[tuple[bytes, ...], _Decoder], ...] = (  # by the brand of their ISO base media file
    ((b"avif", b"avis"), _avif),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _heif),
)
_READABLE = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC or PDF"
_EXTRAS = {"pillow_heif": "heif", "pypdfium2": "pdf"}


@dataclass(frozen=True)
class Page:
    """One picture of a source.

    Attributes:
        number: its number in the source, from 1.
        pixels: uint8 RGB (H, W, 3), upright.
        own_text: whether a PDF page contains text objects, which a PDF reader can copy exactly.
    """

    number: int
    pixels: NDArray[np.uint8]
    own_text: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for users of the result."""
        return (f"page {self.number} has a text layer, which a PDF reader copies exactly",) if self.own_text else ()


class Pages:
    """The pictures of a source, decoded on demand. A context manager that closes the source.

    Attributes:
        name: the source's name in messages.
        reducible: a JPEG on disk or in bytes, which `load_reduced` can decode at a reduced size; None for all others.
    """

    reducible: JpegImageFile | None = None

    def __init__(self, name: str, count: int, load: Callable[[int], Page], close: Callable[[], None]) -> None:
        self.name = name
        self._count = count
        self._load = load
        self._close = close

    def __len__(self) -> int:
        return self._count

    def page(self, number: int) -> Page:
        """The page with this number, from 1.

        Raises:
            ImageError: there is no such page, or it cannot be decoded.
        """
        if not 1 <= number <= self._count:
            has = f"{self._count} pages" if self._count > 1 else "one page"
            raise ImageError(f"{self.name} has {has}, there is no page {number}: choose an existing one")
        return self._load(number)

    def numbers(self, wanted: "str | int | Iterable[int] | None") -> list[int]:
        """The requested page numbers, given as for `--pages`, as one number or several; None: all.

        Raises:
            ConfigError: `wanted` names no pages.
        """
        if isinstance(wanted, str):
            return page_numbers(wanted, self._count)
        if isinstance(wanted, int):
            return [wanted]
        return list(range(1, self._count + 1) if wanted is None else wanted)

    def others(self) -> str:
        """The message if only the first page is read."""
        rest = "page 2" if self._count == 2 else f"pages 2 to {self._count}"
        return f"{rest} of {self._count} left out: read_pages reads them"

    def __enter__(self) -> "Pages":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


def open_pages(
    source: Source, *, name: str | None = None, max_pixels: int = MAX_PIXELS, dpi: float | None = None
) -> Pages:
    """Opens a picture, or several in one file.

    Args:
        source: path of a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC (with the extra `heif`) or PDF (with the extra
            `pdf`); the bytes of one, or anything with `read()` that gives them; a Pillow image, which counts as its
            current frame; or an array, tensor or nested list, grey (H, W), (H, W, 1), RGB (H, W, 3) or RGBA (H, W, 4),
            of bools, integers in 0..255, uint16, or floats in 0..1. Tensors may have their channels first.
        name: its name in error messages; its path by default.
        max_pixels: larger images are refused, by their header, before anything is decoded.
        dpi: pixels per inch at which PDF pages are rendered. None: 200.

    Returns:
        Its pages; their pixels are uint8 RGB (H, W, 3) with EXIF orientation applied, deeper pixels scaled to 8 bits,
        and transparency over white, or over black or grey if the content would be lost on white. They may share
        memory with an array that was passed, and may be read-only.

    Raises:
        ImageError: it cannot be read; the message is one line that names the image and the cure.
        ConfigError: `dpi` is out of range.
    """
    if dpi is not None and not 1 <= dpi <= 2400:
        raise ConfigError("dpi must be between 1 and 2400")
    given, name = opened(source, name)
    if isinstance(given, np.ndarray):
        array = given

        def from_pixels(number: int) -> Page:
            if array.ndim in (2, 3):
                _check_size(array.shape[1], array.shape[0], name, max_pixels)
            return Page(number, from_array(array, name))

        return Pages(name, 1, from_pixels, lambda: None)
    if isinstance(given, Image.Image):
        image = given
        return Pages(name, 1, lambda number: _decoded(image, number, name, max_pixels), lambda: None)
    try:
        pages = _open_file(given, name, max_pixels, dpi or DPI)
    except BaseException:
        given.close()
        raise
    if not isinstance(source, str | Path | bytes | bytearray | memoryview):
        pages.reducible = None
    return pages


def load_image(source: Source, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture of a source, or the first of several; arguments and errors are those of `open_pages`.

    Returns:
        uint8 RGB, (H, W, 3), upright.
    """
    with open_pages(source, name=name, max_pixels=max_pixels) as pages:
        return pages.page(1).pixels


def load_only(source: Source, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """As `load_image`, but raises ImageError if the source has several pictures."""
    with open_pages(source, name=name, max_pixels=max_pixels) as pages:
        if len(pages) > 1:
            raise ImageError(
                f"{pages.name} has {len(pages)} pages where one picture is expected: pass one of them, see read_pages"
            )
        return pages.page(1).pixels


def page_numbers(text: str, count: int) -> list[int]:
    """The numbers of pages as people write them: `3`, `2-5`, `7-` to the end, several with commas; up to `count`.

    Raises:
        ConfigError: it is invalid, or a range ends before it begins.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        try:
            begin = int(first)
            end = (int(last) if last else None) if dash else begin
        except ValueError:
            begin, end = 0, 0
        if begin < 1 or (end is not None and end < begin):
            raise ConfigError(f"{text!r} names no pages: write 3, 2-5, 7-, or several of these with commas")
        numbers += range(begin, max(begin, min(end or count, count)) + 1)
    return numbers


def _open_file(stream: BinaryIO, name: str, max_pixels: int, dpi: float) -> Pages:
    try:
        head = stream.read(1024)
        stream.seek(0)
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({reason(error)}): check the disk, or copy the file") from None
    if not head:
        raise ImageError(f"{name} is empty: download or save it again")
    with _extras(name):
        if b"%PDF-" in head:  # some writers put other lines before it
            with _optional("pypdfium2"):
                from wordsight.imaging.pdf import Pdf

            pdf = Pdf(stream, name)

            def drawn(number: int) -> Page:
                width, height = pdf.size(number, dpi)
                _check_size(width, height, name, max_pixels)
                return Page(number, *pdf.draw(number, dpi))

            return Pages(name, len(pdf), drawn, pdf.close)
        decoder = _decoder(head)
        if decoder is None:
            raise ImageError(f"{name} is {_what(head)}: give a {_READABLE} file")
        if decoder is JpegImageFile:
            _check_scans(stream, name)
        frames = counted(stream, head, name)
        try:
            image = decoder(stream)
        except ModuleNotFoundError:
            raise
        except Exception:
            # Decoders raise whatever their parsing ran into: SyntaxError, struct.error, OverflowError, KeyError...
            raise ImageError(f"{name} has a broken header: download it, or save it as PNG or JPEG again") from None
    if frames is None:
        count = int(getattr(image, "n_frames", 1))
        check_count(count, name)
        frames = list(range(count))

    def decoded(number: int) -> Page:
        return _decoded(image, number, name, max_pixels, frames[number - 1])

    def close() -> None:
        image.close()
        stream.close()

    pages = Pages(name, len(frames), decoded, close)
    pages.reducible = image if isinstance(image, JpegImageFile) else None
    return pages


def _check_scans(stream: BinaryIO, name: str) -> None:
    """Counts the scans of a JPEG file without decoding it, and rewinds it.

    Raises:
        ImageError: its first picture has more than `_MAX_SCANS` scans.
    """
    data = stream.read(_CHECKED)
    stream.seek(0)
    place, scans = 2, 0
    while marker := _MARKER.search(data, place):
        if marker[1] == b"\xd9":  # the end: another picture or a video may follow
            return
        scans += marker[1] == b"\xda"
        if scans > _MAX_SCANS:
            raise ImageError(f"{name} has more than {_MAX_SCANS} scans: save it again as PNG or JPEG")
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])


@contextlib.contextmanager
def _optional(module: str) -> Iterator[None]:
    """An import of this library, which counts as missing, too, where it is there but does not load."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name == module:
            raise
        raise ModuleNotFoundError(f"{module} does not load: {error}", name=module) from error
    except (ImportError, OSError) as error:  # of a library of the system that it needs
        raise ModuleNotFoundError(f"{module} does not load: {error}", name=module) from error


@contextlib.contextmanager
def _extras(name: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        why = f" ({reason(error)})" if error.__cause__ else ""  # installed, but broken
        kind = "a HEIC file" if extra == "heif" else "a PDF"
        raise ImageError(f"{name} is {kind}, which needs an extra{why}: {pip_install(extra)}") from None


def _decoder(head: bytes) -> _Decoder | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WebPImageFile
    if head[4:8] == b"ftyp":
        return next((decoder for brands, decoder in _BOXED if head[8:12] in brands), None)
    return next((decoder for magics, decoder in _DECODERS if head.startswith(magics)), None)


def _what(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "a video, or an image of a kind that is not read here"
    if head.startswith(b"\0\5\x16\7"):
        return "what macOS keeps beside a file of that name, not an image"
    if is_text(head):
        return "a picture written as text, which base64.b64decode turns back into bytes"
    return "not an image of a known format"


def _seek(image: Image.Image, frame: int) -> None:
    try:
        image.seek(frame)
    except Exception:
        image.seek(0)  # else Pillow takes the frame for reached, and gives the pixels of the one before
        raise


def _decoded(image: Image.Image, number: int, name: str, max_pixels: int, frame: int | None = None) -> Page:
    try:
        if frame is not None and frame != image.tell():
            _seek(image, frame)
        _check_size(image.width, image.height, name, max_pixels)
        return Page(number, from_pillow(image))
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name} ({image.width} x {image.height}) does not fit into memory: make it smaller") from None
    except Exception as error:
        where = name if number == 1 else f"{name}, page {number},"
        raise ImageError(
            f"{where} cannot be decoded ({reason(error)}): it is truncated or damaged, download or save it again"
        ) from None


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name} is empty, {width} x {height} pixels: give an image with at least one pixel")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} pixels, over the limit of {max_pixels}: make it smaller or raise max_pixels"
        )
