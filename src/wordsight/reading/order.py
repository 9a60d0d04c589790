"""The order in which people read boxes that stand on a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def reading_order(polygons: Sequence[NDArray[np.float64]]) -> list[int]:
    """Indices of polygons (N, 2) in reading order: rows from top to bottom, each from left to right.

    A box belongs to a row if its middle is within half a height (the smaller one's) of the middle of the box before it
    in that row, so that a row may slope.
    """
    low = np.array([polygon.min(axis=0) for polygon in polygons]).reshape(-1, 2)
    high = np.array([polygon.max(axis=0) for polygon in polygons]).reshape(-1, 2)
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
