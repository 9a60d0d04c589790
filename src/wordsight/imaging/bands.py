"""Decoded pictures to arrays in bands of rows, so that a hundred megapixels are in memory once and not three times."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ROWS = 256
_PLAIN = ("1", "L", "P", "RGB", "CMYK", "YCbCr")  # modes that are converted to RGB pixel by pixel, not as a whole

# By EXIF orientation: a view of the upright array with rows and columns as in the file
_AS_IN_THE_FILE: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def upright_rgb(
    image: Image.Image, orientation: int, to_rgb: Callable[[Image.Image], Image.Image]
) -> NDArray[np.uint8]:
    """A picture as uint8 RGB (H, W, 3), rotated by its EXIF orientation, 1 to 8; `to_rgb` converts it, or a part."""
    plain = image.mode in _PLAIN and "transparency" not in image.info
    if not plain:
        image = to_rgb(image)
    size = (image.width, image.height) if orientation in (5, 6, 7, 8) else (image.height, image.width)
    upright = np.empty((*size, 3), np.uint8)
    rows = _AS_IN_THE_FILE.get(orientation, np.asarray)(upright)
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        band = image.crop((0, top, image.width, bottom))
        rows[top:bottom] = np.asarray(to_rgb(band) if plain else band)
    return upright
