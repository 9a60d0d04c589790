"""How a picture becomes a network's input, and points of its map points of the picture again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STRIDE = 32
"""Pixels: sides of the network's input are multiples of it."""

_ENOUGH_SHORT = 736  # PP-OCR enlarges pictures until their short side has this, so that small letters are seen
_ENOUGH_PIXELS = 1.0e6  # ... but no picture to more than a photograph of 1280 x 720 gets
_MOST_ENLARGED = 2.0


@dataclass(frozen=True)
class Frame:
    """How the map lies on the picture: (point - margin) / scale; margin (x, y) in pixels of the map."""

    scale: float
    margin: NDArray[np.float64]

    def to_picture(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Points (N, 2) of the map in pixels of the picture."""
        return np.asarray((points - self.margin) / self.scale, dtype=np.float64)


def input_scale(height: int, width: int, max_side: int) -> float:
    """How many times as large the network sees a picture: its cost follows the pixels of the picture.

    Long sides over `max_side` are reduced to it. Small pictures are enlarged: until their short side has 736 pixels,
    but to a million pixels, to twice the size and to `max_side` at most.
    """
    largest = max_side / max(height, width)
    enough = (_ENOUGH_SHORT / min(height, width), (_ENOUGH_PIXELS / (height * width)) ** 0.5, _MOST_ENLARGED)
    return float(min(largest, max(1.0, min(enough))))


def framed(image: NDArray[np.uint8], max_side: int) -> tuple[NDArray[np.uint8], Frame]:
    """A picture, uint8 RGB (H, W, 3), as large as it is shown, (h, w, 3); its border is repeated up to the stride."""
    import cv2

    height, width = image.shape[:2]
    scale = input_scale(height, width, max_side)
    if scale != 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=method), np.uint8)
    rows, columns = (-side % STRIDE for side in image.shape[:2])
    top, left = rows // 2, columns // 2
    padded = cv2.copyMakeBorder(image, top, rows - top, left, columns - left, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8), Frame(scale, np.array([left, top], np.float64))


def network_input(
    picture: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...], *, blue_first: bool = False
) -> NDArray[np.float32]:
    """A picture, uint8 RGB (h, w, 3), as (1, 3, h, w): less `mean` by `std` of R, G and B, then in either order."""
    import cv2

    batch = np.empty((1, 3, *picture.shape[:2]), np.float32)
    outs = batch[0, :: -1 if blue_first else 1]
    for plane, out, less, by in zip(cv2.split(picture), outs, mean, std, strict=True):
        cv2.LUT(plane, np.arange(256, dtype=np.float32) * np.float32(1 / 255 / by) - np.float32(less / by), dst=out)
    return batch
