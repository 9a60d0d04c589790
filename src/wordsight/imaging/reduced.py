"""Decoding large JPEGs at a reduced size, if no more is needed."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from wordsight.imaging.load import MAX_PIXELS, load_image
from wordsight.imaging.sources import opened

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
    given, shown = opened(source, name)
    if not isinstance(given, np.ndarray | Image.Image):
        with given as stream:
            if (image := _jpeg(stream)) is not None:
                width, height = image.size
                if width * height <= max_pixels and max(width, height) >= 2 * longest:
                    scale = longest / max(width, height)
                    image.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
                    turned = image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
                    return load_image(image, name=shown), (width, height) if turned else (height, width)
    pixels = load_image(source, name=name, max_pixels=max_pixels)
    return pixels, pixels.shape[:2]


def _jpeg(stream: BinaryIO) -> JpegImageFile | None:
    """The JPEG in a stream; None if it is not one, or has a broken header, which `load_image` reports."""
    if stream.read(3) != _JPEG:
        return None
    stream.seek(0)
    try:
        image = JpegImageFile(stream)
        image.getexif()
    except Exception:
        return None
    return image
