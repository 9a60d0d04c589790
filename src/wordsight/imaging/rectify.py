"""Rectification of polygons to upright strips: by perspective for four corners, piecewise for curved text.

Large boxes are cut out of a smaller copy of the photo, see `Pyramid`.
"""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from wordsight.errors import BoxError
from wordsight.imaging.geometry import Polygon, area, as_polygon, homography, is_convex, project, sides_cross

Pixels = NDArray[np.uint8]

MAX_STRIP = 2048
"""Longest side of a strip in pixels: more than any recognizer uses, so that a huge box does not give a huge strip."""

LONGEST = 200
"""Largest aspect ratio of a strip: a line of some 400 characters. Longer ones are squeezed; otherwise a line of pixels
across a picture would be as much work as thousands of words."""

ENOUGH = 192
"""Pixels: boxes are cut out of a copy in which all their sides are at least this long, four times what recognizers
take."""

_LEGIBLE = 64  # pixels: a strip is not scaled down below this height, however long it is
_PIECES_PER_SEGMENT = 4  # a piece maps bilinearly; with four between two given points no kink is visible
_MIN_SIDE = 1.0  # pixels
_MAX_PERSPECTIVE = 20.0  # if the far side is so much smaller, it is a triangle and not a sign seen at an angle
_UNIT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)


def reduced(image: Pixels) -> Pixels:
    """The image, scaled down to the largest size of a strip, so that batches of huge crops fit into memory."""
    height, width = image.shape[:2]
    scale = _scale(width, height)
    size = _strip_size(width * scale, height * scale)
    if size == (width, height):
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def rectify(image: Pixels, polygon: ArrayLike) -> Pixels:
    """Cuts the text inside a polygon out of an image as a straight strip.

    Four corners are mapped by perspective (by bilinear interpolation if they are not convex). More points are the top
    edge (first half) followed by the bottom edge backwards (second half), as in annotations of curved text; both edges
    are sampled evenly along their length, and the pieces between them straightened one by one. Width and height of the
    strip are the mean lengths of opposite sides.

    A quad that extends beyond the image is cut along its own sides to the visible part; of other polygons, points
    outside are moved to the border.

    Args:
        image: uint8 RGB (H, W, 3).
        polygon: (N, 2) in pixels, x then y, (0, 0) the corner of the first pixel; clockwise from the text's top left
            (if counter-clockwise, it is reversed, keeping the first point).

    Returns:
        uint8 RGB (h, w, 3), h and w at least 1. Strips longer than `MAX_STRIP` are scaled down to it, but not to less
        than 64 pixels on the short side.

    Raises:
        BoxError: fewer than four points, NaN or infinite, empty, crossing sides, or completely outside the image.
    """
    points = as_polygon(polygon)
    height, width = image.shape[:2]
    if (points.max(axis=0) <= 0).any() or (points.min(axis=0) >= (width, height)).any():
        raise BoxError(
            f"{_describe(points)} lies outside the image of {width} x {height} pixels: check its coordinates"
        )
    if len(points) == 4:
        return _rectify_quad(image, points)
    return _rectify_chain(image, np.clip(points, 0, (width, height)))


def part_of(polygon: Polygon, start: float, end: float) -> Polygon:
    """The part of a polygon (N, 2) that `rectify` maps to the columns between two shares of its strip's width.

    Four corners are cut in their perspective; of more points, those in between remain.
    """
    if len(polygon) == 4 and is_convex(polygon) and _perspective(polygon) <= _MAX_PERSPECTIVE:
        return project(homography(_UNIT, polygon), np.array([(start, 0), (end, 0), (end, 1), (start, 1)], float))
    top, bottom = _edges(polygon)
    at = np.linspace(0, 1, max(len(top), len(bottom)))
    at = np.concatenate([[start], at[(at > start) & (at < end)], [end]])
    return np.concatenate([_along(top, at), _along(bottom, at)[::-1]])


def _scale(width: float, height: float) -> float:
    """The factor, at most 1, by which a strip of this size is scaled down."""
    return min(1.0, max(MAX_STRIP / max(width, height), _LEGIBLE / max(1.0, min(width, height))))


def _strip_size(width: float, height: float) -> tuple[int, int]:
    """Size in whole pixels, with an aspect ratio of at most `LONGEST`."""
    w, h = max(1, round(width)), max(1, round(height))
    return min(w, LONGEST * h), min(h, LONGEST * w)


def _rectify_quad(image: Pixels, quad: Polygon) -> Pixels:
    if sides_cross(quad):
        raise BoxError(f"the sides of {_describe(quad)} cross: list its corners in order around the text")
    height, width = image.shape[:2]
    inside = quad.min() >= 0 and quad[:, 0].max() <= width and quad[:, 1].max() <= height
    if not inside:
        quad = _cut_quad(quad, width, height)
    strip_width, strip_height = _quad_size(quad)
    if not is_convex(quad) or _perspective(quad) > _MAX_PERSPECTIVE:
        return _straighten(image, quad[:2], quad[[3, 2]], 1, strip_width, strip_height)
    source, quad, w, h = _source(image, quad, strip_width, strip_height)
    # Pillow needs the map from the strip's pixels to the source's
    to_source = homography(np.array([(0, 0), (w, 0), (w, h), (0, h)], float), quad)
    coefficients = (to_source / to_source[2, 2]).ravel()[:8].tolist()
    strip = source.transform((w, h), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    return np.asarray(strip)


def _cut_quad(quad: Polygon, width: int, height: int) -> Polygon:
    """The smallest quad with the same perspective that contains the visible part of `quad`."""
    import shapely  # rarely needed: other boxes do not wait for it

    visible = shapely.get_coordinates(shapely.clip_by_rect(shapely.Polygon(quad), 0, 0, width, height))
    if len(visible) < 3 or abs(area(visible)) < _MIN_SIDE:
        raise BoxError(f"{_describe(quad)} lies outside the image of {width} x {height} pixels: check its coordinates")
    if not is_convex(quad) or _perspective(quad) > _MAX_PERSPECTIVE:
        return np.clip(quad, 0, (width, height))
    to_quad = homography(_UNIT, quad)
    places = project(np.linalg.inv(to_quad), visible)
    (x0, y0), (x1, y1) = places.min(axis=0).clip(0, 1), places.max(axis=0).clip(0, 1)
    return project(to_quad, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))


def _perspective(quad: Polygon) -> float:
    """Ratio of the distances of the farthest and the nearest corner, at least 1; infinite for impossible views."""
    try:
        depth = (np.c_[_UNIT, np.ones(4)] @ homography(_UNIT, quad).T)[:, 2]
    except np.linalg.LinAlgError:
        return np.inf
    depth = depth * np.sign(depth[0])
    return float(depth.max() / depth.min()) if depth.min() > 0 else np.inf


def _quad_size(quad: Polygon) -> tuple[float, float]:
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    return _checked_size(quad, float(top + bottom) / 2, float(left + right) / 2)


def _checked_size(points: Polygon, width: float, height: float) -> tuple[float, float]:
    if width < _MIN_SIDE or height < _MIN_SIDE or abs(area(points)) < _MIN_SIDE:
        raise BoxError(f"{_describe(points)} is empty: give it at least one pixel of width and height")
    return width, height


def _rectify_chain(image: Pixels, points: Polygon) -> Pixels:
    top, bottom = _edges(points)
    pieces = _PIECES_PER_SEGMENT * (max(len(top), len(bottom)) - 1)
    at = np.linspace(0, 1, pieces + 1)
    height = float(np.linalg.norm(_along(top, at) - _along(bottom, at), axis=1).mean())
    width, height = _checked_size(points, (_length(top) + _length(bottom)) / 2, height)
    return _straighten(image, top, bottom, pieces, width, height)


def _edges(points: Polygon) -> tuple[Polygon, Polygon]:
    """The top edge and the bottom edge, both from left to right. Of an odd number, the edges more equal in length."""
    n = len(points)
    splits = [(points[:k], points[k:][::-1]) for k in (n // 2, n - n // 2)]
    return min(splits, key=lambda edges: abs(_length(edges[0]) - _length(edges[1])))


def _length(edge: Polygon) -> float:
    return float(np.linalg.norm(np.diff(edge, axis=0), axis=1).sum())


def _along(edge: Polygon, at: Polygon) -> Polygon:
    """The points of an edge at the given shares of its length."""
    reached = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(edge, axis=0), axis=1))]
    at = at * reached[-1]
    return np.stack([np.interp(at, reached, edge[:, 0]), np.interp(at, reached, edge[:, 1])], axis=1)


def _straighten(image: Pixels, top: Polygon, bottom: Polygon, pieces: int, width: float, height: float) -> Pixels:
    """Cuts the band between two edges into pieces, evenly along both, and maps each bilinearly to its place."""
    source, points, w, h = _source(image, np.concatenate([top, bottom]), width, height)
    borders = np.unique(np.rint(np.linspace(0, w, pieces + 1)).astype(int))
    top, bottom = _along(points[: len(top)], borders / w), _along(points[len(top) :], borders / w)
    mesh = [
        # Pillow's order of a quad: upper left, lower left, lower right, upper right
        ((int(borders[i]), 0, int(borders[i + 1]), h), (*top[i], *bottom[i], *bottom[i + 1], *top[i + 1]))
        for i in range(len(borders) - 1)
    ]
    strip = source.transform((w, h), Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)
    return np.asarray(strip)


def _source(image: Pixels, points: Polygon, width: float, height: float) -> tuple[Image.Image, Polygon, int, int]:
    """The part of the image around `points`, the points in it, and the strip's width and height.

    Cut with a margin, repeating the image's border beyond it; scaled down if the strip would be too long.
    """
    margin = 4 + int(max(width, height) / MAX_STRIP)  # bicubic uses two pixels around, in the scaled picture
    x0, y0 = np.floor(points.min(axis=0)).astype(int) - margin
    x1, y1 = np.ceil(points.max(axis=0)).astype(int) + margin
    rows = np.clip(np.arange(y0, y1), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(x0, x1), 0, image.shape[1] - 1)
    inside = x0 >= 0 and y0 >= 0 and x1 <= image.shape[1] and y1 <= image.shape[0]
    source = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1]) if inside else image[rows[:, None], columns])
    points = points - (x0, y0)
    scale = _scale(width, height)
    if scale < 1:  # Image.transform does not anti-alias, so the picture is reduced first
        size = (max(1, round(source.width * scale)), max(1, round(source.height * scale)))
        points = points * (size[0] / source.width, size[1] / source.height)
        source = source.resize(size, Image.Resampling.BOX)
    return source, points, *_strip_size(width * scale, height * scale)


def _describe(points: Polygon) -> str:
    corners = " ".join(f"({x:.0f}, {y:.0f})" for x, y in points[:4])
    return f"the box {corners}" + (" ..." if len(points) > 4 else "")


class Pyramid:
    """A photo, uint8 RGB (H, W, 3), and where boxes ask for it, one of half the size, and so on.

    Once there is its copy, a large box takes no longer than one of twice ENOUGH pixels across.
    """

    def __init__(self, image: Pixels) -> None:
        self._image = image

    @cached_property
    def _half(self) -> "Pyramid":
        return Pyramid(np.asarray(Image.fromarray(self._image).reduce(2)))

    def cut(self, polygon: Polygon) -> Pixels:
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
