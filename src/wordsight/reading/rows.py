"""Which boxes on a picture are one line of text, and in which order people read the lines."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight.imaging.geometry import around
from wordsight.reading.boxes import Boxes, Numbers
from wordsight.reading.columns import blocks
from wordsight.reading.kinds import Kind, kind
from wordsight.results import Line, Word, as_polygon

_OFFSET = 0.5  # of the smaller height: how far neighbours in a row may lie from a straight line
_NEAR_OFFSET = 0.35  # of the smaller height: the same where no other rows show that it is one
_PASSES = 2  # in which lines of several boxes show better how rows slope, by which more boxes are found to be lines
_OVERLAP = 0.5  # of the smaller height: how far neighbours in a row may reach into each other
_VAGUE = 0.02  # how much rows may slope otherwise than is known, which in a panorama is more than a height ...
_FAR = 10.0  # ... from so many heights on
_SIZES = 1.6  # between the heights of neighbours in a row: a word with tall letters and one without make 1.4
_NEAR = 0.8  # of the height: a gap inside a line that needs no other rows to be taken for one
_NUMBER_NEAR = 2.0  # of the height: the same before a number
_EDGE = 0.75  # of the height: how exactly cells of a column stand below each other, on the left or on the right
_NEXT = 6.0  # heights from one cell of a column to the next, at most
_ROWS = 3  # of a table, at least
_NUMBER_ROWS = 2  # the same where the right one is a number


def in_lines(read: Sequence[tuple[Numbers, Sequence[Word]]]) -> list[Line]:
    """Lines in reading order, of boxes that were read: the polygon (N, 2) of each and its words, one at least."""
    polygons = [polygon for polygon, _ in read]
    texts = [" ".join(word.text for word in words) for _, words in read]
    return [
        Line(tuple(word for i in row for word in read[i][1]), as_polygon(around([polygons[i] for i in row])))
        for row in rows(polygons, texts)
    ]


def rows(polygons: Sequence[Numbers], texts: Sequence[str]) -> list[list[int]]:
    """Lines of text in reading order, each by the indices of its boxes from left to right.

    Right is where most of the text runs to, so that a turned page is read as an upright one. Boxes are one line if they
    stand in one row, are of like height, and are near each other (a number may stand further from the word before it)
    or belong to a table: the columns that they stand in are beside each other in three rows, or two if the right one is
    of numbers. So receipts are read by rows, while signs that happen to stand at one height are not joined.

    Columns of running text, three rows or more on both sides of a gutter, are read one after the other, what stands
    above and below them before and after; within them lines come from top to bottom.

    Args:
        polygons: (N, 2) each, clockwise from the top left of the text; curved text has as many points above as below.
        texts: what they say, one for each polygon: columns of numbers belong to the rows of a table.
    """
    if not polygons:
        return []
    boxes = Boxes.of(polygons)
    kinds = [kind(text) for text in texts]
    parts = blocks(boxes, kinds)
    for _ in range(_PASSES):
        boxes = boxes.in_lines([line for block in parts for line in _lines(boxes, kinds, block)])
    return [line for block in parts for line in _in_order(boxes, _lines(boxes, kinds, block))]


def _lines(boxes: Boxes, kinds: Sequence[Kind], block: list[int]) -> list[list[int]]:
    """The boxes of a block by lines, each from left to right.

    Neighbours in a row are one line if they are near each other, or if the same two columns of cells stand beside each
    other in further rows, most of which are not words beside words without a number after them.
    """
    beside, straight = _beside(boxes, block)
    left, right, height = boxes.left[block], boxes.right[block], boxes.height[block]
    gap = np.where(beside, left - right[:, None], np.inf)
    column = _columns(boxes, block)
    words, numbers = (np.array([kinds[i] is wanted for i in block], dtype=bool) for wanted in (Kind.WORDS, Kind.NUMBER))
    prose = beside & words[:, None] & words & ~(beside & numbers).any(axis=1)
    follows: dict[int, int] = {}
    for i, j in enumerate(gap.argmin(axis=1).tolist()):
        if not beside[i, j] or gap[:, j].argmin() != i:
            continue
        near, least = (_NUMBER_NEAR, _NUMBER_ROWS) if kinds[block[j]] is Kind.NUMBER else (_NEAR, _ROWS)
        is_near = straight[i, j] and gap[i, j] <= near * (height[i] + height[j]) / 2
        cells = np.ix_(column == column[i], column == column[j])
        both = beside[cells].any(axis=1).sum()
        if is_near or (both >= least and 2 * prose[cells].any(axis=1).sum() < both):
            follows[i] = j
    lines = []
    for i in sorted(set(range(len(block))) - set(follows.values())):
        line = [i]
        while line[-1] in follows:
            line.append(follows[line[-1]])
        lines.append([block[k] for k in line])
    return lines


def _beside(boxes: Boxes, block: list[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n, n) twice: whether the second box stands to the right of the first in one row, and whether exactly so."""
    height, level, slope = boxes.height[block], boxes.level[block], boxes.slope[block]
    least = np.minimum(height[:, None], height)
    like = np.maximum(height[:, None], height) < _SIZES * least
    across, down = (boxes.starts[block] - boxes.ends[block][:, None]).transpose(2, 0, 1)
    offset = np.abs(down - across * (slope[:, None] + slope) / 2) / least
    after = (boxes.left[block] - boxes.right[block][:, None] > -_OVERLAP * least) & (
        boxes.centre[block] > boxes.centre[block][:, None]
    )
    return after & like & level & level[:, None] & (offset < _OFFSET), offset < _NEAR_OFFSET


def _columns(boxes: Boxes, block: list[int]) -> NDArray[np.intp]:
    """For each box of a block the number of the column of cells that it belongs to."""
    left, right, middle, height = (a[block] for a in (boxes.left, boxes.right, boxes.middle, boxes.height))
    least = np.minimum(height[:, None], height)
    edge = np.minimum(np.abs(left - left[:, None]), np.abs(right - right[:, None]))
    down = np.abs(middle - middle[:, None])
    below = (edge < _EDGE * least) & (down > _OFFSET * least) & (down < _NEXT * least)
    column = np.arange(len(block))
    while True:
        lowest = np.where(below | np.eye(len(block), dtype=bool), column, len(block)).min(axis=1)
        if (lowest == column).all():
            return column
        column = lowest


def _in_order(boxes: Boxes, lines: list[list[int]]) -> list[list[int]]:
    """Lines from top to bottom, and from left to right where they stand at one height, as signs beside each other do.

    A line goes with those before it if it begins within half a height (the smaller one's) of where the last of them
    leads to, more if that is far away.
    """
    middle, slope, size = boxes.middle, boxes.slope, boxes.bottom - boxes.top
    order: list[list[list[int]]] = []
    for line in sorted(lines, key=lambda line: float(boxes.centre[line[0]])):
        i = line[0]
        candidates = []
        for k, row in enumerate(order):
            j = row[-1][-1]
            across, down = boxes.starts[i] - boxes.ends[j]
            offset = abs(down - across * (slope[i] + slope[j]) / 2)
            least = min(size[i], size[j])
            if offset < _OFFSET * least + _VAGUE * max(0.0, across - _FAR * least):
                candidates.append((float(offset), k))
        if candidates:
            order[min(candidates)[1]].append(line)
        else:
            order.append([line])
    order.sort(key=lambda row: float(np.mean([middle[line].mean() for line in row])))
    return [line for row in order for line in row]
