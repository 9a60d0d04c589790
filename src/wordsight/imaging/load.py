"""Image files, bytes, arrays and Pillow images to upright RGB arrays; whatever cannot be read is one `ImageError`."""

import io
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from wordsight.errors import ImageError
from wordsight.imaging.bands import upright_rgb
from wordsight.imaging.scans import check_scans

MAX_PIXELS = 100_000_000
"""Default pixel limit: three bytes each, so 300 MB for the array, and some 400 MB more while it is decoded."""

_ORIENTATION = 0x0112  # the EXIF tag


class _Tiff(TiffImageFile):
    """Pillow's decoder, without its second look at the size (and its warning) where the pixel limit has judged it."""

    def load_prepare(self) -> None:
        """Makes the picture to decode into; Pillow does it after its check, unless it is there already."""
        if getattr(self, "_tile_size", self.size) == self.size:
            ImageFile.ImageFile.load_prepare(self)
        else:
            super().load_prepare()


# The decoders are called directly and not through Image.open: that one would run any of Pillow's forty formats
# (Ghostscript among them) and warn about decompression bombs by a process-wide setting that is not ours to change.
_DECODERS: tuple[tuple[tuple[bytes, ...], Callable[[BinaryIO], ImageFile.ImageFile]], ...] = (
    ((b"\xff\xd8\xff",), JpegImageFile),
    ((b"\x89PNG\r\n\x1a\n",), PngImageFile),
    ((b"GIF87a", b"GIF89a"), GifImageFile),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _Tiff),
    ((b"BM",), BmpImageFile),
)
_READABLE = "JPEG, PNG, WebP, TIFF, BMP or GIF"


def load_image(
    source: str | Path | bytes | bytearray | memoryview | NDArray[Any] | Image.Image,
    *,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """Reads an image and turns it upright.

    Args:
        source: path of a JPEG, PNG, WebP, TIFF, BMP or GIF (of several frames the first); the bytes of one; a Pillow
            image; or an array, grey (H, W), (H, W, 1), RGB (H, W, 3) or RGBA (H, W, 4), of uint8, uint16, bool, or
            floats in 0..1.
        name: what error messages call the image; by default its path.
        max_pixels: larger images are refused, by their header, before anything is decoded.

    Returns:
        uint8 RGB, (H, W, 3), EXIF orientation applied, transparency over white, 16 bits scaled to 8. It may share
        memory with an array that was passed, and may be read-only.

    Raises:
        ImageError: for everything that cannot be read, in one line that names the image and the cure.
    """
    if isinstance(source, str | Path):
        return _load_file(Path(source), name or str(source), max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(io.BytesIO(source), name or "the image in memory", max_pixels)
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "the image array", max_pixels)
    if isinstance(source, Image.Image):
        return _from_pillow(source, name or "the Pillow image", max_pixels)
    raise ImageError(
        f"{name or 'the image'} is a {type(source).__name__}: pass a path, the bytes of an image file, "
        "a NumPy array or a Pillow image"
    )


def _load_file(path: Path, name: str, max_pixels: int) -> NDArray[np.uint8]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{name} is a folder: name an image file in it")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
            raise ImageError(f"{name} is not a regular file: name an image file, or pass its bytes")
        stream = path.open("rb")
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist: check the path") from None
    except PermissionError:
        raise ImageError(f"{name} may not be read: check its permissions") from None
    except (OSError, ValueError) as error:  # a name with a NUL, too long, a loop of links, a disk error
        raise ImageError(f"{_one_line(name)} cannot be opened ({_reason(error)}): check the path") from None
    with stream:
        return _decode(stream, name, max_pixels)


def _decode(stream: BinaryIO, name: str, max_pixels: int) -> NDArray[np.uint8]:
    try:
        head = stream.read(16)
        stream.seek(0)
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({_reason(error)}): check the disk, or copy the file") from None
    if not head:
        raise ImageError(f"{name} is empty: download or save it again")
    decoder = _decoder(head)
    if decoder is None:
        raise ImageError(f"{name} is {_what(head)}: give a {_READABLE} file")
    if decoder is JpegImageFile:
        check_scans(stream, name)
    try:
        image = decoder(stream)
    except Exception as error:
        # Pillow's decoders raise whatever their parsing ran into: SyntaxError, struct.error, OverflowError, KeyError...
        raise ImageError(f"{name} has a broken header ({_reason(error)}): save it again as PNG or JPEG") from None
    with image:
        return _from_pillow(image, name, max_pixels)


def _decoder(head: bytes) -> Callable[[BinaryIO], ImageFile.ImageFile] | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WebPImageFile
    return next((decoder for magics, decoder in _DECODERS if head.startswith(magics)), None)


def _what(head: bytes) -> str:
    if head.startswith(b"%PDF"):
        return "a PDF, not an image (render its pages first)"
    if head[4:8] == b"ftyp":
        return "a HEIC, AVIF or video file, which is not read here"
    return "not an image of a known format"


def _from_pillow(image: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
    try:
        _check_size(image.width, image.height, name, max_pixels)
        image.load()
        return upright_rgb(image, _orientation(image), _to_rgb)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name} ({image.width} x {image.height}) does not fit into memory: make it smaller") from None
    except Exception as error:
        raise ImageError(
            f"{name} cannot be decoded ({_reason(error)}): it is truncated or damaged, download or save it again"
        ) from None


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name} is empty, {width} x {height} pixels: give an image with at least one pixel")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} pixels, over the limit of {max_pixels}: make it smaller or raise max_pixels"
        )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data does not make the picture unreadable
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.float32) / 257)
    if image.mode in ("I", "F"):
        return _grey(_stretch(np.asarray(image).astype(np.float64)))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        # La and RGBa (premultiplied) convert to their plain form only
        plain = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)).convert("RGBA")
        return _over_white(plain)
    return image.convert("RGB")


def _grey(values: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).convert("RGB")


def _stretch(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """32-bit grey to 0..255: floats in 0..1, 8 or 16 bit integers by their scale, anything else by its extremes."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return values * 255
    if low >= 0 and high <= 255:
        return values
    if low >= 0 and high <= 65535:
        return values / 257
    return (values - low) / (high - low) * 255


def _over_white(image: Image.Image) -> Image.Image:
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image).convert("RGB")


def _from_array(array: NDArray[Any], name: str, max_pixels: int) -> NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(
            f"{name} has shape {array.shape}: pass grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4), channels last"
        )
    _check_size(array.shape[1], array.shape[0], name, max_pixels)
    pixels = _to_bytes(array, name)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] == 4:
        return np.asarray(_over_white(Image.fromarray(np.ascontiguousarray(pixels))))
    return np.ascontiguousarray(pixels)


def _to_bytes(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return np.rint(array.astype(np.float32) / 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError(f"{name} has floats outside 0..1: divide by their maximum, or pass uint8")
        return np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    raise ImageError(f"{name} is an array of {array.dtype}: pass uint8, uint16, bool, or floats in 0..1")


def _reason(error: Exception) -> str:
    return _one_line(str(error)) or type(error).__name__


def _one_line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:200]
