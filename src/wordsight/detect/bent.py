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
_PER_PIECE = 1.5  # thicknesses
_MOST_POINTS = 16  # of a side
_LEAST_PIXELS, _LEAST_STEPS = 32, 12


def bent_polygon(contour: NDArray[Any], unclip: float) -> Points | None:
    """A polygon (2 K, 2) around a bent region, grown by `unclip` times its area by its perimeter.

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
    growth = unclip * length * thickness / (2 * (length + thickness))
    sides = _sides(spine, tangents, thickness / 2 + growth, growth)
    shrunk = np.array(mask.shape[::-1]) / (size + 2 * _MARGIN)
    return np.asarray((sides + 0.5) / shrunk - 0.5 - _MARGIN + corner, np.float64)


def _spine(mask: NDArray[np.uint8]) -> tuple[Points, Points, float] | None:
    """Points in the middle of a region from end to end, the directions there, and its mean thickness."""
    pixels = np.argwhere(mask)
    if len(pixels) < _LEAST_PIXELS:
        return None
    steps = _steps_from(mask, tuple(pixels[0]))
    steps = _steps_from(mask, tuple(np.argwhere(steps == steps.max())[0]))
    pixels = np.argwhere(steps >= 0)
    far = int(steps.max())
    if far < _LEAST_STEPS:
        return None
    course = steps[pixels[:, 0], pixels[:, 1]] / far
    thickness = len(pixels) / (far + 1)
    # Near the ends, which are corners, pixels equally far from them do not lie across the region
    end = min(thickness / far, 1 / 3)
    inner = (course >= end) & (course <= 1 - end)
    # Both coordinates as polynomials of the way, fitted to all pixels
    degree = 5 if far > 6 * thickness else 3  # half circles and waves within a percent
    fit = np.polynomial.Polynomial.fit
    x, y = (fit(course[inner], pixels[inner, axis], degree, domain=[0, 1]) for axis in (1, 0))
    away = np.hypot(pixels[inner, 1] - x(course[inner]), pixels[inner, 0] - y(course[inner]))
    if away.max() > 1.5 * thickness:  # a ring or a fork: no strip
        return None
    at = np.linspace(end, 1 - end, int(np.clip(round(far / (_PER_PIECE * thickness)), 3, _MOST_POINTS - 2)))
    spine = np.stack([x(at), y(at)], axis=1)
    tangents = np.stack([x.deriv()(at), y.deriv()(at)], axis=1)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    thickness = float(inner.sum()) / max(_length(spine), 1.0)
    rest = (len(pixels) / thickness - _length(spine)) / 2
    first, last = _beyond(spine, tangents, -rest), _beyond(spine[::-1], tangents[::-1], rest)
    return np.vstack([first[0], spine, last[0]]), np.vstack([first[1], tangents, last[1]]), thickness


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
