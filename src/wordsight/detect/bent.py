"""Polygons along bent text.

A spine runs through the middle of a region, from its one end to the other; the polygon keeps the same distance from it
on both sides. The ends are those two points of the region that are farthest from each other when one may not leave it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_THICK = 8  # pixels; thicker regions are reduced to this first: what matters is their course
_MARGIN = 2  # pixels around a region in its mask
_MIN_LENGTH = 3.0  # in thicknesses; shorter regions have no course
_MIN_SAGITTA = 0.35  # in thicknesses: how far from its chord the spine of what counts as bent goes
_MOST_POINTS = 12  # of a side, without those beyond its ends
_LEAST_PIXELS, _LEAST_STEPS = 32, 12
_BEYOND = 0.3  # thicknesses more at the ends, where cores are round; 48 of 60 rendered texts are read, 42 without
_WIDER = 1.35  # times the growth of straight text, which fits labels: 212 of 240 rendered texts are read, 206 without
_ROUND = 0.8  # thicknesses that pixels are away from a circle at most
_ROUNDS, _PER_PIECE = 4, 12  # of fitting a curve, and its places between two points of a spine
_ENOUGH = 1000  # pixels to fit a curve to


def bent_polygon(contour: NDArray[Any], unclip: float) -> Points | None:
    """A polygon (2 K, 2) around a bent region, grown by rather more than `unclip` times its area by its perimeter.

    Args:
        contour: the region's, (N, 2).
        unclip: see above.

    Returns:
        Its first K points run along the top from left to right, the others back along the bottom. None: the region is
        straight, too short, or no strip at all, a ring for example.
    """
    import cv2

    corner = contour.min(axis=0)
    size = contour.max(axis=0) - corner + 1
    mask = np.zeros((size[1] + 2 * _MARGIN, size[0] + 2 * _MARGIN), np.uint8)
    cv2.drawContours(mask, [(contour - corner + _MARGIN).astype(np.int32)], 0, 1, cv2.FILLED)
    thickness = 2 * float(cv2.distanceTransform(mask, cv2.DIST_L2, 3).max()) - 1
    scale = min(1.0, _THICK / max(thickness, 1.0))
    if scale < 1:
        reduced = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
        mask = (cv2.resize(mask * np.uint8(255), reduced, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    found = _spine(mask)
    if found is None:
        return None
    spine, tangents, thickness = found
    length = _length(spine)
    if length < _MIN_LENGTH * thickness or _sagitta(spine) < _MIN_SAGITTA * thickness:
        return None
    if spine[-1, 0] < spine[0, 0]:
        spine, tangents = spine[::-1], -tangents[::-1]
    growth = _WIDER * unclip * length * thickness / (2 * (length + thickness))
    sides = _sides(spine, tangents, thickness / 2 + growth, growth + _BEYOND * thickness)
    shrunk = np.array(mask.shape[::-1]) / (size + 2 * _MARGIN)
    return np.asarray((sides + 0.5) / shrunk - 0.5 - _MARGIN + corner, np.float64)


def _spine(mask: NDArray[np.uint8]) -> tuple[Points, Points, float] | None:
    """Points in the middle of a region from end to end, the directions there, and its mean thickness."""
    rows, columns = np.nonzero(mask)
    if len(rows) < _LEAST_PIXELS:
        return None
    steps = _steps_from(mask, (rows[0], columns[0]))
    steps = _steps_from(mask, tuple(np.argwhere(steps == steps.max())[0]))
    rows, columns = np.nonzero(steps >= 0)
    pixels = np.stack([columns, rows], axis=1).astype(np.float64)
    way = steps[rows, columns].astype(np.float64)
    if way.max() < _LEAST_STEPS:
        return None
    for course in (_arc, _curve):
        spine, tangents, away = course(pixels, way)
        thickness = len(pixels) / max(_length(spine), 1.0)
        if away <= (_ROUND if course is _arc else 1.5) * thickness:
            return spine, tangents, thickness
    return None  # a ring or a fork: no strip


def _arc(pixels: Points, way: Points) -> tuple[Points, Points, float]:
    """Points and directions along the circle through pixels (N, 2), and how far one is from it at most.

    Args:
        pixels: of a strip.
        way: (N,) how far along it they are, roughly.
    """
    design = np.c_[pixels, np.ones(len(pixels))]
    a, b, c = np.linalg.lstsq(design, (pixels**2).sum(axis=1), rcond=None)[0]  # Kasa's fit: too small for short arcs
    centre = np.array([a, b]) / 2
    radius = float(np.sqrt(max(c + centre @ centre, 1e-9)))
    for _ in range(_ROUNDS):  # least squares of the distances, by Gauss and Newton
        spokes = pixels - centre
        length = np.maximum(np.linalg.norm(spokes, axis=1, keepdims=True), 1e-9)
        step = np.linalg.lstsq(np.c_[spokes / length, np.ones(len(pixels))], length[:, 0] - radius, rcond=None)[0]
        centre, radius = centre + step[:2], radius + float(step[2])
    spokes = pixels - centre
    middle = spokes[np.argsort(way)[len(way) // 2]]
    angle = np.arctan2(middle[0] * spokes[:, 1] - middle[1] * spokes[:, 0], spokes @ middle)
    begins = angle[way < np.median(way)].mean() < angle[way > np.median(way)].mean()
    ends = (angle.min(), angle.max()) if begins else (angle.max(), angle.min())
    at = np.linspace(*ends, _MOST_POINTS) + np.arctan2(middle[1], middle[0])
    outwards = np.stack([np.cos(at), np.sin(at)], axis=1)
    tangents = np.stack([-outwards[:, 1], outwards[:, 0]], axis=1) * (1 if begins else -1)
    away = float(np.abs(np.linalg.norm(spokes, axis=1) - radius).max())
    return centre + radius * outwards, tangents, away


def _curve(pixels: Points, way: Points) -> tuple[Points, Points, float]:
    """As `_arc`, along a principal curve (Hastie and Stuetzle, 1989), such as a wave or half an ellipse.

    Polynomials of the way are fitted to the pixels, then each pixel belongs to the nearest place of them, and so on.
    """
    fit, every = np.polynomial.Polynomial.fit, 1 + len(pixels) // _ENOUGH
    pixels, way = pixels[::every], way[::every]
    for _ in range(_ROUNDS):
        x, y = (fit(way, pixels[:, axis], 3) for axis in (0, 1))
        at = np.linspace(way.min(), way.max(), (_MOST_POINTS - 1) * _PER_PIECE + 1)
        curve = np.stack([x(at), y(at)], axis=1)
        tangents = np.stack([x.deriv()(at), y.deriv()(at)], axis=1)
        tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
        squares = (pixels[:, :1] - curve[:, 0]) ** 2 + (pixels[:, 1:] - curve[:, 1]) ** 2
        nearest = squares.argmin(axis=1)
        along = np.r_[0.0, np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum()]
        way = along[nearest] + ((pixels - curve[nearest]) * tangents[nearest]).sum(axis=1)
    return curve[::_PER_PIECE], tangents[::_PER_PIECE], float(squares.min(axis=1).max() ** 0.5)


def _length(spine: Points) -> float:
    return float(np.linalg.norm(np.diff(spine, axis=0), axis=1).sum())


def _steps_from(mask: NDArray[np.uint8], start: tuple[int, ...]) -> NDArray[np.int32]:
    """How many pixels away from `start` each pixel of a region is, on ways within it; -1 outside."""
    import cv2

    steps = np.full(mask.shape, -1, np.int32)
    front = np.zeros_like(mask)
    front[start] = 1
    shapes = [cv2.getStructuringElement(kind, (3, 3)) for kind in (cv2.MORPH_CROSS, cv2.MORPH_RECT)]
    step = 0
    while True:
        new = (front > 0) & (steps < 0)
        if not new.any():
            return steps
        steps[new] = step
        step += 1
        front = np.asarray(cv2.dilate(front, shapes[step % 2]), np.uint8) & mask  # in turn: octagons, nearly circles


def _sagitta(spine: Points) -> float:
    """How far a spine goes from the straight line between its ends; a closed one goes infinitely far."""
    chord = spine[-1] - spine[0]
    length = float(np.linalg.norm(chord))
    if length < 1:
        return float("inf")
    away = spine - spine[0]
    return float(np.abs(chord[0] * away[:, 1] - chord[1] * away[:, 0]).max() / length)


def _sides(spine: Points, tangents: Points, half: float, beyond: float) -> Points:
    """The polygon at the distance `half` on both sides of a spine and `beyond` its ends, where it bends on."""
    ends = [_beyond(spine[order], tangents[order], sign * beyond) for order, sign in ((slice(None), -1), (_BACK, 1))]
    spine = np.vstack([ends[0][0], spine, ends[1][0]])
    tangents = np.vstack([ends[0][1], tangents, ends[1][1]])
    up = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
    return np.vstack([spine + half * up, (spine - half * up)[::-1]])


_BACK = slice(None, None, -1)


def _beyond(spine: Points, tangents: Points, way: float) -> tuple[Points, Points]:
    """Point and direction before the first point of a spine, as much bent as its first quarter."""
    later = max(1, len(spine) // 4)
    turn = (tangents[later] - tangents[0]) / _length(spine[: later + 1]) * np.sign(-way)
    direction = tangents[0] + way * turn
    return spine[0] + way * tangents[0] + way**2 / 2 * turn, direction / np.linalg.norm(direction)
