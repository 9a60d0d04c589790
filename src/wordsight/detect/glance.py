"""Which parts of a picture the detector looks at, from a glance that says in which blocks text may be."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Pixels: the sides of a block; two of them are the stride of the detector."""

SUSPICION = 0.3
"""Probability of text in a block from which on it is looked at."""

ENOUGH = 2**18
"""Pixels: smaller pictures are looked at as a whole, among them the copies in which large letters are seen."""

_AROUND = 2  # blocks around suspected ones, so that the detector sees what text stands on
_NEAR = 16  # blocks that two parts may waste as one: another run of the graph costs about as much
_MOST = 0.75  # share of the picture from which on it is looked at as a whole

Part = tuple[slice, slice]
"""Rows and columns of pixels, from and to multiples of the detector's stride."""

See = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""What a network says of a picture, or a part of one, uint8 RGB (H, W, 3)."""


def text_map(picture: NDArray[np.uint8], glance: See | None, detect: See, suspicion: float) -> NDArray[np.float32]:
    """The probability of text (H, W) in a picture; 0 in parts that are not looked at.

    Args:
        picture: uint8 RGB (H, W, 3), sides multiples of the detector's stride.
        glance: gives the probability of text in blocks (H / 16, W / 16) of a picture that it is shown half as high and
            wide; None: everything is looked at.
        detect: gives the probability of text (H, W).
        suspicion: probability of a block from which on it is looked at.
    """
    import cv2

    height, width = picture.shape[:2]
    if glance is None or height * width <= ENOUGH:
        return detect(picture)
    out = np.zeros((height, width), np.float32)
    half = np.asarray(cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    for rows, columns in parts_with_text(glance(half), suspicion):
        part = detect(picture[rows, columns])
        out[rows, columns] = np.maximum(out[rows, columns], part)
    return out


def parts_with_text(probability: NDArray[np.float32], threshold: float) -> list[Part]:
    """Rectangles that cover all blocks in which text may be, and what is around them.

    Args:
        probability: of text in each block (H / 16, W / 16), both even.
        threshold: probability of a block from which on it is looked at.

    Returns:
        Parts, which overlap where that wastes little; none: nowhere is text.
    """
    import cv2

    rows, columns = probability.shape
    suspected = cv2.dilate((probability > threshold).astype(np.uint8), np.ones((2 * _AROUND + 1,) * 2, np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(suspected, connectivity=8)
    boxes = np.empty((len(stats) - 1, 4), np.int64)  # left, top, right, bottom; the first component is the background
    boxes[:, :2] = stats[1:, :2] // 2 * 2
    boxes[:, 2:] = -(-(stats[1:, :2] + stats[1:, 2:4]) // 2) * 2
    boxes = _merged(boxes)
    if _areas(boxes).sum() > _MOST * rows * columns:
        boxes = np.array([[0, 0, columns, rows]])
    return [
        (slice(top * BLOCK, bottom * BLOCK), slice(left * BLOCK, right * BLOCK))
        for left, top, right, bottom in boxes.tolist()
    ]


def _merged(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Boxes, joined pair by pair as long as that wastes little: those that waste least first."""
    while len(boxes) > 1:
        corners = np.minimum(boxes[:, None, :2], boxes[:, :2]), np.maximum(boxes[:, None, 2:], boxes[:, 2:])
        together = np.concatenate(corners, axis=-1)
        wasted = _areas(together) - _areas(boxes)[:, None] - _areas(boxes)
        np.fill_diagonal(wasted, _NEAR + 1)
        first, second = divmod(int(wasted.argmin()), len(boxes))
        if wasted[first, second] > _NEAR:
            break
        boxes[first] = together[first, second]
        boxes = np.delete(boxes, second, axis=0)
    return boxes


def _areas(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Blocks in boxes (..., 4): left, top, right, bottom."""
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.asarray(width * height)
