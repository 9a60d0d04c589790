"""Geometry of polygons: (N, 2) float64 arrays of x and y in pixels, y downwards, (0, 0) the image's corner."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.errors import BoxError

Polygon = NDArray[np.float64]
BoxT = TypeVar("BoxT")

Box: TypeAlias = tuple[float, float, float, float]
"""Position of a crop in its photograph: centre x, centre y, width, height as shares of its sides."""

WHOLE: Box = (0.5, 0.5, 1.0, 1.0)
"""The whole photograph, also if the position is unknown."""

TALL = 1.5
"""Ratio of height to width above which text in a box may run up or down (PP-OCR rotates crops at the same ratio)."""

MAX_BOXES = 10_000
"""Of one photo: about as many as a page of a newspaper has words."""

FEW = 2
"""Number of characters that may well be upright in a tall box."""


def as_polygon(points: ArrayLike) -> Polygon:
    """Checked points, clockwise; the first stays the first.

    Args:
        points: (N, 2), N at least 4.

    Raises:
        BoxError: not numbers, too few points, or NaN or infinite ones.
    """
    try:
        polygon = np.array(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BoxError("a box is not a list of x, y pairs of numbers: give [[x, y], ...] in pixels") from None
    if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 4:
        raise BoxError(f"a box has shape {polygon.shape}: give at least four x, y pairs in pixels")
    if not np.isfinite(polygon).all():
        raise BoxError("a box has a coordinate that is NaN or infinite: give numbers in pixels")
    if np.abs(polygon).max() > 1e9:  # products of coordinates must stay exact enough
        raise BoxError("a box has a coordinate beyond a thousand million: give numbers in pixels")
    return clockwise(polygon)


def few(boxes: Iterable[BoxT], name: str) -> list[BoxT]:
    """The boxes of the photo `name`.

    Raises:
        BoxError: there are more than MAX_BOXES.
    """
    found = list(islice(boxes, MAX_BOXES + 1))
    if len(found) > MAX_BOXES:
        raise BoxError(f"{name}: there are more than {MAX_BOXES:,} boxes for it: give fewer at a time")
    return found


def word_height(polygon: Polygon) -> float:
    """Mean distance in pixels between the ends of the top edge and those of the bottom edge."""
    middle = len(polygon) // 2
    left, right = polygon[0] - polygon[-1], polygon[middle - 1] - polygon[middle]
    return float(np.linalg.norm(left) + np.linalg.norm(right)) / 2


def box_in(polygon: Polygon, width: int, height: int) -> Box:
    """The upright rectangle around the visible part of a polygon in a photograph of this size."""
    size = (width, height)
    (x0, y0), (x1, y1) = np.clip([polygon.min(axis=0), polygon.max(axis=0)], 0, size) / size
    return float(x0 + x1) / 2, float(y0 + y1) / 2, float(x1 - x0), float(y1 - y0)


def area(polygon: Polygon) -> float:
    """The enclosed area in square pixels, positive if clockwise on the screen."""
    x, y = (polygon - polygon[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def clockwise(polygon: Polygon) -> Polygon:
    """The polygon clockwise, its first point kept first."""
    return np.roll(polygon[::-1], 1, axis=0) if area(polygon) < 0 else polygon


def is_convex(polygon: Polygon) -> bool:
    """Whether a clockwise polygon is convex; points may be in line with their neighbours."""
    sides = np.roll(polygon, -1, axis=0) - polygon
    turns = _cross(sides, np.roll(sides, -1, axis=0))
    return bool((turns >= 0).all())


def sides_cross(quad: Polygon) -> bool:
    """Whether opposite sides of a quad intersect, as when corners are listed by rows instead of around it."""
    a, b, c, d = quad
    return _segments_cross(a, b, c, d) or _segments_cross(b, c, d, a)


def _segments_cross(a: Polygon, b: Polygon, c: Polygon, d: Polygon) -> bool:
    return bool(_cross(b - a, c - a) * _cross(b - a, d - a) < 0 and _cross(d - c, a - c) * _cross(d - c, b - c) < 0)


def _cross(a: Polygon, b: Polygon) -> NDArray[np.float64]:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def homography(source: Polygon, target: Polygon) -> NDArray[np.float64]:
    """The 3 x 3 homography that maps four points to four others.

    Raises:
        numpy.linalg.LinAlgError: three of the points are on a line.
    """
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    solution = np.linalg.solve(np.array(rows), target.ravel())
    return np.append(solution, 1.0).reshape(3, 3)


def project(matrix: NDArray[np.floating[Any]], points: Polygon) -> Polygon:
    """Points (N, 2) mapped by a homography."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved[:, :2] / moved[:, 2:])


def upright(quad: Polygon) -> Polygon:
    """The corners of a quad, clockwise, starting with the side that points most to the right."""
    quad = clockwise(quad)
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.maximum(np.linalg.norm(sides, axis=1), 1e-9)
    # rounded, so that of two equally good sides (of a diamond) it is always the upper one
    order = np.lexsort((quad[:, 1], -np.round(sides[:, 0] / lengths, 6)))
    return np.roll(quad, -int(order[0]), axis=0)


def around(polygons: Sequence[Polygon]) -> Polygon:
    """The polygon (N, 2) around the boxes of a line, from left to right: a single box itself, else four corners."""
    if len(polygons) == 1:
        return polygons[0]
    first, last = polygons[0], polygons[-1]
    n = len(last) // 2
    along = (last[n - 1] + last[n] - first[0] - first[-1]) / 2
    right = along / max(float(np.linalg.norm(along)), 1e-9)
    axes = np.array([right, (-right[1], right[0])])
    points = np.concatenate(polygons) @ axes.T
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    corners: Polygon = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ axes
    return corners
