"""Decoding large JPEGs at a reduced size, if no more is needed."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.imaging.load import MAX_PIXELS, open_pages
from wordsight.imaging.pixels import exif_orientation


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
    with open_pages(source, name=name, max_pixels=max_pixels) as pages:
        jpeg = pages.reducible
        if jpeg is None or jpeg.width * jpeg.height > max_pixels or max(jpeg.size) < 2 * longest:
            pixels = pages.page(1).pixels
            return pixels, pixels.shape[:2]
        width, height = jpeg.size
        scale = longest / max(width, height)
        jpeg.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
        on_its_side = exif_orientation(jpeg) in (5, 6, 7, 8)
        return pages.page(1).pixels, (width, height) if on_its_side else (height, width)
