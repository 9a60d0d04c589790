"""Boxes of text in the frame of their page: how far along the rows and how far down they lie, however it is turned."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordsight.imaging.geometry import word_height

Numbers = NDArray[np.float64]

_ALIKE = 0.94  # cosine of 20 degrees, within which boxes belong to text that runs one way
_ACROSS, _DOWN = 20.0, 6.0  # heights within which boxes tell one another how rows slope
_STIFF = 3.0  # heights that boxes must spread over for their slopes to be taken to change with y


@dataclass(frozen=True, eq=False)
class Boxes:
    """One number a box, in pixels of the page's frame: x along most of its text, y down.

    Attributes:
        left: the least x.
        right: the greatest x.
        top: the least y.
        bottom: the greatest y.
        starts: (boxes, 2), the middle of the text's left end.
        ends: (boxes, 2), that of its right end.
        height: of the text, across it.
        slope: of rows at the box, down for one along.
        level: whether its text runs along the rows, not up, down or aslant.
    """

    left: Numbers
    right: Numbers
    top: Numbers
    bottom: Numbers
    starts: Numbers
    ends: Numbers
    height: Numbers
    slope: Numbers
    level: NDArray[np.bool_]

    @property
    def centre(self) -> Numbers:
        """Half-way from left to right."""
        return (self.left + self.right) / 2

    @property
    def middle(self) -> Numbers:
        """Half-way from top to bottom."""
        return (self.top + self.bottom) / 2

    def in_lines(self, lines: Sequence[Sequence[int]]) -> "Boxes":
        """The same with better slopes, by lines of several boxes, each by its boxes' indices from left to right."""
        level = [line for line in lines if self.level[line].all()]
        at = np.stack([self.centre, self.middle], axis=1)
        starts, ends = self.starts[[line[0] for line in level]], self.ends[[line[-1] for line in level]]
        return replace(self, slope=_slopes(at, self.height, starts, ends))

    @classmethod
    def of(cls, polygons: Sequence[Numbers]) -> "Boxes":
        """Of polygons (N, 2) that begin at their text's top left and go round clockwise; one at least."""
        n = [len(polygon) // 2 for polygon in polygons]  # curved text has as many points below as above
        starts = np.array([(p[0] + p[-1]) / 2 for p in polygons])
        ends = np.array([(p[k - 1] + p[k]) / 2 for p, k in zip(polygons, n, strict=True)])
        right = _direction(ends - starts)
        axes = np.array([right, (-right[1], right[0])]).T
        low = np.array([(polygon @ axes).min(axis=0) for polygon in polygons])
        high = np.array([(polygon @ axes).max(axis=0) for polygon in polygons])
        height = np.maximum([word_height(polygon) for polygon in polygons], 1e-6)
        starts, ends = starts @ axes, ends @ axes
        along = ends - starts
        level = along[:, 0] >= _ALIKE * np.linalg.norm(along, axis=1)
        slope = _slopes((low + high) / 2, height, starts[level], ends[level])
        return cls(low[:, 0], high[:, 0], low[:, 1], high[:, 1], starts, ends, height, slope, level)


def _direction(along: Numbers) -> Numbers:
    """The unit vector along which most text runs, by length: boxes of one short word tell little about it."""
    length = np.linalg.norm(along, axis=1)
    unit = along / np.maximum(length, 1e-9)[:, None]
    alike = unit @ unit.T > _ALIKE
    best = alike[int(np.argmax(alike @ length))]
    mean = along[best].sum(axis=0)
    size = float(np.linalg.norm(mean))
    return mean / size if size > 0 else np.array([1.0, 0.0])


def _slopes(at: Numbers, height: Numbers, starts: Numbers, ends: Numbers) -> Numbers:
    """How rows slope at each of the boxes with these centres and heights, by what level text around them does.

    A short text knows its own slope badly (a pixel in forty is more than a degree), and seen from the side rows of a
    page are not parallel. So this is a regression on y at each box: near text counts more, and long text, by the square
    of its length; the slope changes with y only if text covers more than a few rows.
    """
    away = ((starts + ends) / 2 - at[:, None]) / height[:, None, None]
    down = away[..., 1]
    along = ends - starts
    weight = along[:, 0] ** 2 / (1 + (away[..., 0] / _ACROSS) ** 2 + (down / _DOWN) ** 2)
    rise = along[:, 1] / np.maximum(along[:, 0], 1e-9)
    total, first = np.maximum(weight.sum(axis=1), 1e-9), (weight * down).sum(axis=1)
    second = (weight * down**2).sum(axis=1) + _STIFF**2 * total
    slopes: Numbers = (second * (weight @ rise) - first * ((weight * down) @ rise)) / (total * second - first**2)
    return slopes
