"""A photo in ever smaller copies, so that a large box is cut out of a small one."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.errors import BoxError
from wordsight.imaging.geometry import Polygon
from wordsight.imaging.rectify import rectify

ENOUGH = 192
"""Pixels: boxes are cut out of a copy in which all their sides are at least this long, four times what recognizers
take."""


class Pyramid:
    """A photo, uint8 RGB (H, W, 3), and where boxes ask for it, one of half the size, and so on.

    Once there is its copy, a large box takes no longer than one of twice ENOUGH pixels across.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._image = image

    @cached_property
    def _half(self) -> "Pyramid":
        return Pyramid(np.asarray(Image.fromarray(self._image).reduce(2)))

    def cut(self, polygon: Polygon) -> NDArray[np.uint8]:
        """As `rectify`, but for boxes whose sides all have twice ENOUGH pixels or more: their strips are smaller.

        Raises:
            BoxError: see `rectify`.
        """
        height, width = self._image.shape[:2]
        if _shortest(np.clip(polygon, 0, (width, height))) < 2 * ENOUGH:
            return rectify(self._image, polygon)
        try:
            return self._half.cut(polygon / 2)
        except BoxError:  # its numbers are those of the small copy
            return rectify(self._image, polygon)


def _shortest(polygon: Polygon) -> float:
    """The length of the shortest of a box's four sides; top and bottom may be bent."""
    steps = np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1)
    middle = len(polygon) // 2
    sides = steps[: middle - 1].sum(), steps[middle - 1], steps[middle:-1].sum(), steps[-1]
    return float(min(sides))
