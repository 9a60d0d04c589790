"""Text that is too wide for one look: overlapping windows, and their readings put together again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.decoding import Char, Reading

Span = tuple[float, float]
"""From and to, in pixels along a strip."""

WINDOW = 5.0  # width of a window in heights of the strip; a recognizer's crops are stretched to 4:1
OVERLAP = 2.0  # heights that neighbouring windows share: about four letters

_SKIP_COST = 0.5  # of leaving out a character of the overlap, which at a window's border may be half a letter
_MISMATCH_COST = 1.0
# Two characters taken for one letter seem to stand apart by d letter widths: it costs d * d / 2, so that in 1000000 the
# right noughts meet, but less than agreement gains, because letters are not equally wide.
_MOST_SHIFT_COST = 0.8


def windows(strip: NDArray[np.uint8], span: Span) -> list[Span]:
    """Windows of about `WINDOW` heights over a part of a strip, each sharing about `OVERLAP` heights with the next.

    Their borders stand between letters where they can, because half a letter is read as something else.

    Args:
        strip: uint8 RGB (h, w, 3).
        span: the part, in pixels.
    """
    height = strip.shape[0]
    width = span[1] - span[0]
    size = min(width, WINDOW * height)
    count = 1 + max(0, math.ceil((width - size) / ((WINDOW - OVERLAP) * height)))
    starts = np.linspace(span[0], span[1] - size, count)
    contrast = np.ptp(strip.mean(axis=2), axis=0)  # (w,): small in columns that no letter crosses
    return [
        (
            span[0] if k == 0 else _between_letters(contrast, start, height),
            span[1] if k == count - 1 else _between_letters(contrast, start + size, height),
        )
        for k, start in enumerate(starts.tolist())
    ]


def _between_letters(contrast: NDArray[np.floating], x: float, height: int) -> float:
    """The middle of the calmest stretch of columns within a third of the height around `x`."""
    first = max(0, round(x - height / 3))
    near = contrast[first : round(x + height / 3) + 1]
    calm = np.flatnonzero(near <= near.min() + 0.1 * np.ptp(near))
    runs = np.split(calm, np.flatnonzero(np.diff(calm) > 1) + 1)
    longest = max(runs, key=len)
    return first + float(longest[0] + longest[-1] + 1) / 2


def merge(readings: Sequence[Reading], spans: Sequence[Span]) -> Reading:
    """One reading of the text that overlapping windows show, with every character once.

    Neighbouring readings are aligned where their windows overlap, and joined at the agreeing character nearest to the
    overlap's middle, away from letters that a border cut. So a letter seen by two windows stays single, and a doubled
    letter, doubled in both, stays doubled. Of two readings of one letter the surer counts.

    Args:
        readings: what each window says, left to right.
        spans: where each window lies.
    """
    placed = [_place(reading, span) for reading, span in zip(readings, spans, strict=True)]
    merged = placed[0]
    for right, left_span, right_span in zip(placed[1:], spans, spans[1:], strict=False):
        merged = _join(merged, right, (right_span[0], left_span[1]))
    chars = tuple(place.char for place in merged)
    confidence = ending(readings[-1]) * math.prod(char.probability for char in chars)
    outside = any(reading.outside for reading in readings)
    otherwise = any(reading.free_confidence is not None for reading in readings)
    clarity = math.prod(reading.clarity for reading in readings) if otherwise else None
    return Reading("".join(char.text for char in chars), confidence, chars, outside, clarity)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A character, the middle of the place where it probably stands, and the mean letter width of its window."""

    char: Char
    x: float
    width: float


def _place(reading: Reading, span: Span) -> list[_Placed]:
    width = (span[1] - span[0]) / max(1, len(reading.chars))
    return [_Placed(char, span[0] + (i + 0.5) * width, width) for i, char in enumerate(reading.chars)]


def ending(reading: Reading) -> float:
    """The probability of [E]: what the confidence holds beside the characters."""
    product = math.prod(char.probability for char in reading.chars)
    return min(1.0, reading.confidence / product) if product > 0 else 0.0


def _join(left: Sequence[_Placed], right: Sequence[_Placed], shared: Span) -> list[_Placed]:
    """Both readings as one: `left` up to the seam, then `right`; of a letter in both, the surer reading."""
    middle = (shared[0] + shared[1]) / 2
    pairs = _align(left, right, shared[0])
    agreeing = [(i, j) for i, j in pairs if left[i].char.text == right[j].char.text]
    if not agreeing:  # nothing to go by but the places
        return [place for place in left if place.x < middle] + [place for place in right if place.x >= middle]
    i, j = min(agreeing, key=lambda pair: abs((left[pair[0]].x + right[pair[1]].x) / 2 - middle))
    first, second = list(left[: i + 1]), list(right[j + 1 :])
    for a, b in pairs:
        if a <= i and b > 0 and right[b].char.probability > left[a].char.probability:
            first[a] = right[b]  # unless it is the first of its window, which the border may have cut
        elif b > j and a < len(left) - 1 and left[a].char.probability > right[b].char.probability:
            second[b - j - 1] = left[a]
    return first + second


def _align(left: Sequence[_Placed], right: Sequence[_Placed], start: float) -> list[tuple[int, int]]:
    """Which characters of `left` and `right` are the same letters: the best overlap of a suffix and a prefix.

    A dynamic programme over prefixes. Skipping characters of `left` before the overlap begins (at `start`), and all
    that follows it in `right`, is free. Equal characters gain 1, less for standing apart.
    """
    n, m = len(left), len(right)
    score = np.zeros((n + 1, m + 1))
    step = np.zeros((n + 1, m + 1), dtype=np.int8)  # 0 a pair, 1 skip in left, 2 skip in right
    score[0] = -_SKIP_COST * np.arange(m + 1)
    step[0] = 2
    for i, a in enumerate(left, 1):
        # Places are estimates: the first two letters of the overlap may seem to stand before it.
        score[i, 0] = score[i - 1, 0] - (_SKIP_COST if a.x > start + 2 * a.width else 0.0)
        step[i, 0] = 1
        for j, b in enumerate(right, 1):
            apart = 2 * (a.x - b.x) / (a.width + b.width)
            shift = min(apart * apart / 2, _MOST_SHIFT_COST)
            choices = (
                score[i - 1, j - 1] + (1.0 if a.char.text == b.char.text else -_MISMATCH_COST) - shift,
                score[i - 1, j] - _SKIP_COST,
                score[i, j - 1] - _SKIP_COST,
            )
            step[i, j] = int(np.argmax(choices))
            score[i, j] = choices[step[i, j]]
    i, j = n, int(np.argmax(score[n]))
    pairs = []
    while i > 0 and j > 0:
        if step[i, j] == 0:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif step[i, j] == 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]
