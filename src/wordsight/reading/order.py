"""The order in which people read boxes that stand on a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_ALIKE = 0.94  # cosine of 20 degrees, within which boxes belong to text that runs one way


def reading_order(polygons: Sequence[NDArray[np.float64]]) -> list[int]:
    """Indices of polygons (N, 2) in reading order: rows from top to bottom, each from left to right.

    Right is where most of the text runs to (polygons begin at the text's top left), so that a turned page is read as
    an upright one. A box belongs to a row if its middle is within half a height (the smaller one's) of the middle of
    the box before it in that row, so that a row may slope.
    """
    if not polygons:
        return []
    right = _direction(polygons)
    axes = np.array([right, (-right[1], right[0])]).T
    low = np.array([(polygon @ axes).min(axis=0) for polygon in polygons])
    high = np.array([(polygon @ axes).max(axis=0) for polygon in polygons])
    middle, height = (low + high) / 2, (high - low)[:, 1]
    rows: list[list[int]] = []
    for i in np.argsort(middle[:, 0], kind="stable").tolist():
        candidates = [
            (abs(middle[i, 1] - middle[row[-1], 1]), k)
            for k, row in enumerate(rows)
            if abs(middle[i, 1] - middle[row[-1], 1]) < 0.5 * min(height[i], height[row[-1]])
        ]
        if candidates:
            rows[min(candidates)[1]].append(i)
        else:
            rows.append([i])
    rows.sort(key=lambda row: (float(np.mean(middle[row, 1])), row))
    return [i for row in rows for i in row]


def _direction(polygons: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The unit vector along which most text runs, by length: boxes of one short word tell little about it."""
    half = [len(polygon) // 2 for polygon in polygons]
    along = np.array([p[n - 1] - p[0] + p[n] - p[-1] for p, n in zip(polygons, half, strict=True)]) / 2  # (boxes, 2)
    length = np.linalg.norm(along, axis=1)
    unit = along / np.maximum(length, 1e-9)[:, None]
    alike = unit @ unit.T > _ALIKE
    best = alike[int(np.argmax(alike @ length))]
    mean = (along[best]).sum(axis=0)
    size = float(np.linalg.norm(mean))
    return mean / size if size > 0 else np.array([1.0, 0.0])
