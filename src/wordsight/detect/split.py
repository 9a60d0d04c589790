"""Lines to words: where in a straightened line the gaps between words are, seen in its pixels.

Measured by `benchmarks/word_gaps.py` on 156 training scenes of ICDAR 2015 that the gap network has not seen: H-mean of
the boxes (IoU > 0.5; don't-cares as in `evaluate.spotting`) of what `PPOCRDetector` finds.

    lines, not split                              48.4
    split by looks                                67.7   (precision 70.8, recall 64.8)
    split, the number of words known              74.1
    split, the texts of the words known           75.5
    split at the annotated gaps: the bound        77.6
    RapidOCR 3.10, lines                          39.4
    RapidOCR 3.10, return_word_box=True           62.1
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.detect.gaps import HEIGHT, contrast, gap_probability, to_columns

# Probability from which a gap is one, if nobody knows how many there are. H-mean on the scenes above: 66.5 at 0.55,
# 67.7 at 0.7, 67.6 at 0.8, 66.9 at 0.9.
_SURE = 0.7
_APART = round(0.4 * HEIGHT)  # two gaps have at least one narrow character between them
_END = round(0.25 * HEIGHT)  # nor is there one before the first character, or after the last
_STRAY = 0.4  # how much probability a gap one height away from where the text expects it must have more
_BLANK = 0.2  # contrast of a blank column, of the way from the line's lowest to its high
_LONG = HEIGHT  # a blank of this width is a gap
_SPACE = 0.6  # width of a space, of an average lower-case letter
_NARROW = frozenset("iljI.,:;'!|1tfr()[]- ")
_WIDE = frozenset("mwMW@%&")


def split_words(
    strip: NDArray[np.uint8], *, count: int | None = None, texts: Sequence[str] | None = None
) -> list[tuple[float, float]]:
    """Splits a straightened line at the gaps between its words.

    Args:
        strip: uint8 RGB (h, w, 3), the text upright.
        count: how many words there are, if that is known: as many are returned, fewer only if the strip is too short.
        texts: the words, if they are known (from reading the line with its spaces): as `count`, and their lengths say
            about where the gaps are.

    Returns:
        From and to of each word along the strip, in its pixels, left to right; the first begins and the last ends with
        the strip.
    """
    width = strip.shape[1]
    if texts is not None:
        count = len(texts)
    if count is not None and count <= 1:
        return [(0.0, float(width))]
    blank, probability = _seen(strip)
    columns = len(probability)
    if texts is not None and columns > 2 * len(texts):
        gaps = _expected_gaps(probability, _expected(texts, columns))
    else:
        gaps = _best_gaps(probability, _SURE if count is None else 0.0, columns if count is None else count - 1)
    return between(_placed(strip, gaps, blank, probability), width)


@dataclass(frozen=True)
class Gap:
    """A blank between two words: from and to in pixels along the strip, and how probable it is one."""

    start: float
    end: float
    probability: float


def find_gaps(strip: NDArray[np.uint8], least: float) -> list[Gap]:
    """The gaps of a straightened line, uint8 RGB (h, w, 3), that are at least so probable, left to right."""
    blank, probability = _seen(strip)
    return _placed(strip, _best_gaps(probability, least, len(probability)), blank, probability)


def between(gaps: Sequence[Gap], width: float) -> list[tuple[float, float]]:
    """From and to of the words that gaps of a strip of that width leave."""
    return list(zip([0.0, *(gap.end for gap in gaps)], [*(gap.start for gap in gaps), float(width)], strict=True))


def _seen(strip: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Of each column of a strip whether it is blank, and how probably in a gap."""
    line = to_columns(strip)
    blank = _blank(contrast(line))
    return blank, _with_wide_gaps(gap_probability(line).astype(np.float64), blank)


def _placed(
    strip: NDArray[np.uint8], columns: Sequence[int], blank: NDArray[np.bool_], probability: NDArray[np.float64]
) -> list[Gap]:
    ends = _extents(blank, columns) * (strip.shape[1] / len(blank))
    return [
        Gap(start, end, float(probability[column])) for (start, end), column in zip(ends.tolist(), columns, strict=True)
    ]


def _blank(contrast: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which columns have little more contrast than the calmest."""
    low, high = float(contrast.min()), float(np.percentile(contrast, 90))
    return np.asarray(contrast <= low + _BLANK * (high - low))


def _with_wide_gaps(probability: NDArray[np.float64], blank: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sure gaps in the middle of long blanks: the network has seen words of one line only, and none so far apart."""
    probability = probability.copy()
    borders = np.flatnonzero(np.diff(np.r_[False, blank, False])).reshape(-1, 2)
    for start, end in borders.tolist():
        if end - start >= _LONG and start > 0 and end < len(blank):
            probability[start:end] = 0
            probability[(start + end) // 2] = 1
    return probability


def _extents(blank: NDArray[np.bool_], gaps: Sequence[int]) -> NDArray[np.float64]:
    """From where to where it is blank around each gap, (gaps, 2); at most half-way to the next gap or end.

    So a word does not come with half of what is between it and a far neighbour.
    """
    out = []
    for before, gap, after in zip([0, *gaps], gaps, [*gaps[1:], len(blank)], strict=False):
        left = right = gap + 0.5
        first, last = (before + gap + 1) // 2, (gap + after) // 2
        while left - 0.5 > first and blank[int(left - 1)]:
            left -= 1
        while right + 0.5 < last and blank[int(right + 1)]:
            right += 1
        out.append((left, right))
    return np.array(out).reshape(-1, 2)


def _best_gaps(probability: NDArray[np.float64], least: float, most: int) -> list[int]:
    """The most probable columns, from the best down, none near another: at most `most`, each at least `least`."""
    free = probability.copy()
    free[:_END] = -1
    free[max(0, len(free) - _END) :] = -1
    gaps: list[int] = []
    while len(gaps) < most:
        best = int(np.argmax(free))
        if free[best] < least:
            break
        # the middle of where it is that probable
        last = best
        while last + 1 < len(free) and free[last + 1] >= free[best] - 1e-3:
            last += 1
        gaps.append((best + last) // 2)
        free[max(0, best - _APART) : last + _APART + 1] = -1
    return sorted(gaps)


def _expected(texts: Sequence[str], columns: int) -> list[float]:
    """About where the gaps are, by the widths of the characters."""
    widths = [sum(map(_width, text)) for text in texts]
    total = sum(widths) + _SPACE * (len(texts) - 1)
    ends = np.cumsum(widths)[:-1] + _SPACE * (np.arange(len(texts) - 1) + 0.5)
    return [float(end) for end in ends / total * columns]


def _width(character: str) -> float:
    if character in _NARROW:
        return 0.5
    if character in _WIDE:
        return 1.5
    return 1.2 if character.isupper() else 1.0


def _expected_gaps(probability: NDArray[np.float64], expected: Sequence[float]) -> list[int]:
    """One column for each expected one, in order and apart: the most probable, less the more they stray.

    Dynamic programming over the columns: `best[x]` is the best sum of the gaps so far with the last at x.
    """
    n = len(probability)
    columns = np.arange(n)
    apart = max(1, min(_APART, n // (len(expected) + 2)))
    best = np.zeros(n)
    before: list[NDArray[np.intp]] = []
    for place in expected:
        gain = probability - _STRAY * ((columns - place) / HEIGHT) ** 2
        highest = np.maximum.accumulate(best)
        where = np.maximum.accumulate(np.where(best == highest, columns, 0))
        if before:
            gain = gain + np.r_[np.full(apart, -np.inf), highest[:-apart]]
        before.append(np.r_[np.zeros(apart, np.intp), where[:-apart]])
        best = gain
    gaps = [int(np.argmax(best))]
    for where in before[:0:-1]:
        gaps.append(int(where[gaps[-1]]))
    return gaps[::-1]
