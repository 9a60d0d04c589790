"""From a map of how probable text is at every pixel to polygons around it (DB, arXiv 1911.08947, section 3.5).

The network marks the core of a line or word. It is grown by `unclip` times its area by its perimeter, which is what it
was shrunk by in training.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.detect.bent import bent_polygon
from wordsight.imaging.geometry import upright

Region = tuple[NDArray[np.float64], float]
"""A polygon (N, 2) in pixels of the map, from the top left of the text, clockwise, and its score from 0 to 1."""

MAX_REGIONS = 1000
_MIN_SIDE = 3  # pixels of the map: of a core, and, plus two, of what it is grown to
_GROWN = 1.6  # by PP-OCR's own measure
_NOT_FULL = 0.75  # share of its smallest rectangle that a straight core fills at least


def find_regions(probability: NDArray[np.float32], threshold: float, min_score: float, unclip: float) -> list[Region]:
    """The regions of a map (H, W), in no order.

    Args:
        probability: 0 to 1.
        threshold: from which on a pixel is text.
        min_score: mean probability in a region's core.
        unclip: how far polygons reach around it.

    Returns:
        Rectangles, and around bent text polygons of more points, the first half of them along its top.
    """
    import cv2

    mask = cv2.dilate((probability > threshold).astype(np.uint8), np.ones((2, 2), np.uint8))  # as PP-OCR does
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [contour for i, contour in enumerate(contours) if hierarchy[0, i, 3] < 0]  # less those of holes
    regions: list[Region] = []
    for contour in outer[:MAX_REGIONS]:
        centre, (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < _MIN_SIDE:
            continue
        # Offsetting a rectangle with round corners and boxing it again is the same as growing its sides
        growth = w * h / (w + h)  # twice the area by the perimeter
        if min(w, h) + growth * _GROWN < _MIN_SIDE + 2:
            continue
        polygon = None
        if cv2.contourArea(contour) < _NOT_FULL * w * h:
            score = _mean_inside(probability, contour[:, 0])
            if score < min_score:  # nor would its rectangle have more, as what is around it is no text
                continue
            polygon = bent_polygon(contour[:, 0], unclip)
        if polygon is None:
            score = _mean_inside(probability, cv2.boxPoints((centre, (w, h), angle)))
            size = w + growth * unclip, h + growth * unclip
            polygon = upright(cv2.boxPoints((centre, size, angle)).astype(np.float64))
        if score >= min_score:
            regions.append((polygon, score))
    return regions


def _mean_inside(probability: NDArray[np.float32], polygon: NDArray[Any]) -> float:
    """The mean probability inside a polygon."""
    import cv2

    height, width = probability.shape
    x0, y0 = np.clip(np.floor(polygon.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(polygon.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    inside = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(inside, [(polygon - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(probability[y0 : y1 + 1, x0 : x1 + 1], inside)[0])
