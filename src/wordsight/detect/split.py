"""Lines to words: where in a straightened line the gaps between words are, seen in its pixels."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_HEIGHT = 32  # pixels; all lines are looked at in this height
_SPACE = 0.22  # of the line's height: narrower gaps stand between letters


def split_words(strip: NDArray[np.uint8], count: int | None = None) -> list[tuple[float, float]]:
    """Splits a straightened line at the gaps between its words.

    Args:
        strip: uint8 RGB (h, w, 3), the text upright.
        count: how many words there are, if that is known (from reading the line with its spaces): then the widest and
            clearest gaps are taken, as many as it needs, and fewer words come only if there are fewer gaps.

    Returns:
        From and to of each word along the strip, in its pixels, left to right; the whole strip where no text is seen.
    """
    height, width = strip.shape[:2]
    scale = height / _HEIGHT
    columns = max(1, round(width / scale))
    ink = _ink(strip, columns)
    text = np.flatnonzero(ink)
    if len(text) == 0 or count == 1:
        return [(0.0, float(width))]
    first, last = int(text[0]), int(text[-1]) + 1
    gaps = _runs(~ink[first:last]) + first
    widths = gaps[:, 1] - gaps[:, 0]
    if count is None:
        gaps = gaps[widths >= _SPACE * _HEIGHT]
    else:
        gaps = gaps[np.sort(np.argsort(-widths, kind="stable")[: count - 1])]
    borders = np.r_[first, gaps.ravel(), last] * (width / columns)
    return [(float(x0), float(x1)) for x0, x1 in borders.reshape(-1, 2)]


def _ink(strip: NDArray[np.uint8], columns: int) -> NDArray[np.bool_]:
    """Whether there is ink in each of the columns."""
    grey = Image.fromarray(strip).convert("L").resize((columns, _HEIGHT), Image.Resampling.BILINEAR)
    middle = np.asarray(grey, np.float32)[_HEIGHT // 8 : -_HEIGHT // 8]  # neighbouring lines reach into the border
    contrast = np.ptp(middle, axis=0)
    return np.asarray(contrast > _otsu(contrast))


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that divides values into two groups of the least variance (Otsu 1979)."""
    ordered = np.sort(values.astype(np.float64))
    n = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)[:-1]
    if len(n) == 0:
        return float(ordered[0])
    between = n * (len(ordered) - n) * (sums / n - (ordered.sum() - sums) / (len(ordered) - n)) ** 2
    k = int(np.argmax(between))
    return float(ordered[k] + ordered[k + 1]) / 2


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """From and to of the runs of True: (N, 2)."""
    return np.flatnonzero(np.diff(np.r_[False, mask, False])).reshape(-1, 2)
