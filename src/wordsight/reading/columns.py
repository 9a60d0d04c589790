"""Columns of running text beside each other, which are read one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.reading.boxes import Boxes, Numbers
from wordsight.reading.kinds import Kind

_ROWS = 3  # on both sides of a gutter, at least; more than half of them are running text
# Heights of the text that a gutter is wide, times its rows, at least, but never under half a height: the longer it is,
# the less likely do gaps between words lie one below the other by chance.
_AREA = 4.0
_NARROWEST = 0.5
_PITCH = 1.6  # times the usual distance of rows: how near a row is that belongs to a column beyond the end of the other
_TALLER = 1.25  # times the usual height: what stands above as a heading of both columns

_STEP = 0.25  # heights between the places where gutters are looked for
_LEANS = (0.0, 0.05, -0.05, 0.1, -0.1)  # of gutters, to the right for one down: photos are taken from the side

_SCORE = {Kind.WORDS: 1, Kind.SHORT: 0, Kind.NUMBER: -1, Kind.LABEL: -1}  # what a row says for a gutter beside it

_Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Gutter:
    """Where x - lean * y is the same all the way from top to bottom."""

    x: float
    lean: float
    top: float
    bottom: float

    def parts(self, boxes: Boxes, block: _Indices) -> list[_Indices]:
        """What of a block is above it, to its left, to its right and below, without what is empty."""
        middle = boxes.middle[block]
        above, below = middle < self.top, middle > self.bottom
        left = boxes.centre[block] - self.lean * middle < self.x
        sides = (above, ~(above | below) & left, ~(above | below) & ~left, below)
        return [block[side] for side in sides if side.any()]


def blocks(boxes: Boxes, kinds: Sequence[Kind]) -> list[list[int]]:
    """Indices of boxes by blocks, these in reading order: of each block the rows are read from top to bottom.

    What is above a gutter comes first, then what is to the left and to the right of it, then what is below.
    """
    out: list[list[int]] = []
    todo = [np.arange(len(kinds))]
    while todo:
        block = todo.pop(0)
        gutter = _longest_gutter(boxes, kinds, block)
        if gutter is None:
            out.append(block.tolist())
        else:
            todo[:0] = gutter.parts(boxes, block)
    return out


def _longest_gutter(boxes: Boxes, kinds: Sequence[Kind], block: _Indices) -> _Gutter | None:
    level = block[boxes.level[block]]
    level = level[np.argsort(boxes.middle[level], kind="stable")]
    words = np.array([kinds[i] is Kind.WORDS for i in level.tolist()], dtype=bool)
    step = _STEP * float(np.median(boxes.height[level])) if level.size else 1.0
    found: list[_Gutter] = []
    for lean in _LEANS:
        left, right = (edge[level] - lean * boxes.middle[level] for edge in (boxes.left, boxes.right))
        for x in _distinct(left, step):  # columns begin more exactly than they end
            before, after = right <= x, left >= x
            crossing = ~(before | after)
            part = np.cumsum(crossing)
            enough = [np.bincount(part, weights=words & side) > _ROWS / 2 for side in (before, after)]
            for number in np.flatnonzero(enough[0] & enough[1]).tolist():
                here = ~crossing & (part == number)
                gutter = _gutter(boxes, kinds, level[here & before], level[here & after], x, lean)
                found += [gutter] if gutter is not None else []
    return max(found, key=lambda gutter: gutter.bottom - gutter.top, default=None)


def _distinct(values: Numbers, step: float) -> list[float]:
    """The least of the values in each interval of this width."""
    ordered = np.sort(values)
    first = np.diff(np.floor(ordered / step), prepend=np.nan) != 0
    return [float(value) for value in ordered[first]]


def _gutter(
    boxes: Boxes, kinds: Sequence[Kind], left: _Indices, right: _Indices, x: float, lean: float
) -> _Gutter | None:
    """The gutter between boxes to the left and to the right of it, each from top to bottom, if it is one.

    A row on the left is running text if any of it is, unless a label such as `Name:` ends it. One on the right is if
    its first cell is, not a price or a number.
    """
    sides = [_rows(boxes, side) for side in (left, right)]
    cells = [[[kinds[i] for i in row.tolist()] for row in side] for side in sides]
    scores = [np.array([_score(row) for row in cells[0]]), np.array([_SCORE[row[0]] for row in cells[1]])]
    middles = [np.array([boxes.middle[row].mean() for row in side]) for side in sides]
    height = float(np.median(boxes.height[np.concatenate([left, right])]))
    runs = [_best_run(score) for score in scores]
    first = max(middle[run[0]] for middle, run in zip(middles, runs, strict=True)) - height
    last = min(middle[run[1]] for middle, run in zip(middles, runs, strict=True)) + height
    faced = [np.flatnonzero((middle >= first) & (middle <= last)) for middle in middles]
    for score, rows in zip(scores, faced, strict=True):
        if len(rows) < _ROWS or 2 * score[rows].sum() <= len(rows):
            return None
    numbers = [
        np.mean([Kind.NUMBER in row_kinds[k] for k in rows]) for row_kinds, rows in zip(cells, faced, strict=True)
    ]
    if numbers[0] < 0.5 < numbers[1]:
        return None  # a table, with two columns of words before its numbers
    ends, begins = (np.concatenate([side[k] for k in rows]) for side, rows in zip(sides, faced, strict=True))
    x0 = float((boxes.right[ends] - lean * boxes.middle[ends]).max())
    x1 = float((boxes.left[begins] - lean * boxes.middle[begins]).min())
    if x1 - x0 < max(_NARROWEST, _AREA / min(map(len, faced))) * height:
        return None
    tops, bottoms = zip(*(_extent(boxes, side, rows) for side, rows in zip(sides, faced, strict=True)), strict=True)
    return _Gutter(x, lean, min(tops) - height / 2, max(bottoms) + height / 2)


def _score(row: Sequence[Kind]) -> int:
    """What a row to the left of a gutter, its cells given from left to right, says for it."""
    return _SCORE[row[-1]] if row[-1] is Kind.LABEL else max(_SCORE[kind] for kind in row)


def _rows(boxes: Boxes, side: _Indices) -> list[_Indices]:
    """Boxes, given from top to bottom, by rows, each from left to right."""
    height = boxes.height[side]
    new = np.diff(boxes.middle[side]) > 0.5 * np.minimum(height[1:], height[:-1])
    return [row[np.argsort(boxes.centre[row])] for row in np.split(side, np.flatnonzero(new) + 1)]


def _best_run(scores: NDArray[np.intp]) -> tuple[int, int]:
    """The first and the last of those rows, one after the other, that make the greatest sum; the most of them."""
    total = np.concatenate([[0], np.cumsum(scores)])
    gain = total[1:] - np.minimum.accumulate(total)[:-1]
    last = int(np.flatnonzero(gain == gain.max())[-1])
    return int(np.argmin(total[: last + 1])), last


def _extent(boxes: Boxes, side: Sequence[_Indices], faced: _Indices) -> tuple[float, float]:
    """From where to where the rows of a side go on, of like size and at like distance, also beyond the other side."""
    middle = np.array([boxes.middle[row].mean() for row in side])
    height = np.array([boxes.height[row].mean() for row in side])
    first, last = faced[[0, -1]].tolist()
    near = np.diff(middle) <= _PITCH * np.median(np.diff(middle[first : last + 1]))
    like = height <= _TALLER * np.median(height[first : last + 1])
    while first > 0 and near[first - 1] and like[first - 1]:
        first -= 1
    while last + 1 < len(side) and near[last] and like[last + 1]:
        last += 1
    return float(middle[first]), float(middle[last])
