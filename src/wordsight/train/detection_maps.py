"""What a detector is taught: maps of the cores of words and of the threshold around them (DB, arXiv 1911.08947)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

SHRINK = 0.4
"""Section 3.4: a core is its word, moved inwards by area * (1 - 0.4 ** 2) / perimeter."""

_LOW, _HIGH = 0.3, 0.7  # of thresholds, far from a border and on it
_MIN_SIDE = 6.0  # pixels; lower words are like illegible ones: their cores would be lines of one pixel

Map = NDArray[np.float32]
Polygon = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Maps:
    """Targets of a picture (H, W), all of them (H, W) float32 from 0 to 1.

    Attributes:
        core: 1 in cores.
        counts: 0 in words that nobody can read, which teach nothing.
        threshold: 0.7 on the border of a word, 0.3 far from it.
        near: 1 near borders, where thresholds count.
    """

    core: Map
    counts: Map
    threshold: Map
    near: Map


def db_maps(polygons: Sequence[Polygon], legible: Sequence[bool], height: int, width: int) -> Maps:
    """The maps of a picture of this size.

    Args:
        polygons: words, (N, 2) in pixels; they may lie outside of it in part.
        legible: whether each can be read.
        height: of the picture.
        width: of the picture.
    """
    import cv2

    core, counts, threshold, near = (np.zeros((height, width), np.float32) for _ in range(4))
    counts += 1
    for polygon, readable in zip(polygons, legible, strict=True):
        word = shapely.make_valid(shapely.Polygon(polygon))
        if word.area < 1:
            continue
        distance = word.area * (1 - SHRINK**2) / word.length
        cores = _rings(word.buffer(-distance, join_style="mitre"))
        outside = _rings(word.buffer(distance, join_style="mitre"))
        if not readable or not cores or _low_side(word) < _MIN_SIDE:
            cv2.fillPoly(counts, _rings(word), 0.0)
            continue
        cv2.fillPoly(core, cores, 1.0)
        # Only around this word, for speed
        x0, y0 = np.clip(np.min([ring.min(0) for ring in outside], axis=0), 0, (width, height))
        x1, y1 = np.clip(np.max([ring.max(0) for ring in outside], axis=0) + 1, 0, (width, height))
        if x1 <= x0 or y1 <= y0:
            continue
        here = np.s_[y0:y1, x0:x1]
        border = np.ones((y1 - y0, x1 - x0), np.uint8)
        cv2.polylines(border, [ring - (x0, y0) for ring in _rings(word)], True, 0)
        away = cv2.distanceTransform(border, cv2.DIST_L2, 5) / distance
        inside = np.zeros_like(border)
        cv2.fillPoly(inside, [ring - (x0, y0) for ring in outside], 1)
        threshold[here] = np.maximum(threshold[here], np.where(inside, np.clip(1 - away, 0, 1), 0))
        near[here] = np.maximum(near[here], inside)
    return Maps(core, counts, _LOW + (_HIGH - _LOW) * threshold, near)


def _rings(shape: shapely.Geometry) -> list[NDArray[np.int32]]:
    """The outlines of a shape, which may have come apart."""
    parts = [part for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon" and not part.is_empty]
    return [np.round(np.asarray(part.exterior.coords)).astype(np.int32) for part in parts]


def _low_side(word: shapely.Geometry) -> float:
    """Pixels of the shorter side of the rectangle around a word."""
    corners = np.asarray(word.minimum_rotated_rectangle.exterior.coords)
    return float(np.linalg.norm(np.diff(corners[:3], axis=0), axis=1).min())
