"""Decoding large JPEGs at a reduced size, if no more is needed."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from wordsight.imaging.load import MAX_PIXELS, load_image

_JPEG = b"\xff\xd8\xff"
_ORIENTATION = 0x0112  # the EXIF tag
_ON_ITS_SIDE = (5, 6, 7, 8)


def load_reduced(
    source: str | Path | bytes | bytearray | memoryview | NDArray[Any] | Image.Image,
    longest: int,
    *,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Reads an image like `load_image`, a JPEG at a half, a quarter or an eighth of its size.

    Args:
        source: as for `load_image`; only files and their bytes are ever reduced.
        longest: least length of the long side after reduction, in pixels.
        name: its name in error messages.
        max_pixels: larger images are refused.

    Returns:
        The image, uint8 RGB (h, w, 3), upright, and its full height and width.

    Raises:
        ImageError: as `load_image`.
    """
    stream = _opened(source)
    if stream is None:
        return _whole(source, name, max_pixels)
    with stream:
        if stream.read(3) != _JPEG:
            return _whole(source, name, max_pixels)
        stream.seek(0)
        try:
            image = JpegImageFile(stream)
            turned = image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
        except Exception:  # a broken header, which `load_image` reports
            return _whole(source, name, max_pixels)
        width, height = image.size
        if width * height > max_pixels or max(width, height) < 2 * longest:
            return _whole(source, name, max_pixels)
        scale = longest / max(width, height)
        image.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
        pixels = load_image(
            image, name=name or str(source if isinstance(source, str | Path) else "the image in memory")
        )
    return pixels, (width, height) if turned else (height, width)


def _opened(source: Any) -> BinaryIO | None:
    """The file or bytes to read from; None for anything else, or if unreadable, which `load_image` reports."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    try:
        if isinstance(source, str | Path) and Path(source).is_file():  # a pipe would wait for a writer
            return Path(source).open("rb")
    except (OSError, ValueError):
        pass
    return None


def _whole(source: Any, name: str | None, max_pixels: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    pixels = load_image(source, name=name, max_pixels=max_pixels)
    return pixels, pixels.shape[:2]
