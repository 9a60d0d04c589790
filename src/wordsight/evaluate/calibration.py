"""How far confidences can be believed, and the temperature with which they can be believed most."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15  # Guo et al. 2017, "On Calibration of Modern Neural Networks", section 5

_COOLEST, _WARMEST = 0.5, 4.0  # temperatures that are tried; what needs another is broken rather than too sure
_NEAR = 0.01  # a hundredth of the temperature: nothing that 1,000 words could tell
_GOLDEN = (math.sqrt(5) - 1) / 2

Floats = npt.NDArray[np.float64]
Readings = tuple[npt.ArrayLike, npt.ArrayLike]
"""Confidences (N,) of words, and whether they were right (N,)."""


@dataclass(frozen=True)
class Bin:
    """Words of about the same confidence.

    Attributes:
        n: how many there are.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    n: int
    confidence: float
    accuracy: float


def reliability(
    confidences: npt.ArrayLike, correct: npt.ArrayLike, bins: int = CALIBRATION_BINS, *, adaptive: bool = False
) -> list[Bin]:
    """The words in bins, least sure first, empty bins left out: a reliability diagram.

    Args:
        confidences: (N,) in [0, 1].
        correct: (N,), whether each word is right.
        bins: how many.
        adaptive: bins of equally many words (Nguyen and O'Connor 2015), to one; equal confidences may then be parted.
            Otherwise of equal width, closed on the right as in Guo et al. 2017, equation 3.
    """
    sure, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if adaptive:
        parts = np.array_split(np.argsort(sure, kind="stable"), bins)
    else:
        place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
        parts = [np.flatnonzero(place == i) for i in range(bins)]
    return [Bin(len(part), float(sure[part].mean()), float(right[part].mean())) for part in parts if len(part)]


def calibration_error(
    confidences: npt.ArrayLike, correct: npt.ArrayLike, bins: int = CALIBRATION_BINS, *, adaptive: bool = False
) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy over bins, weighted by their words.

    Arguments are those of `reliability`. NaN where there are no words.
    """
    found = reliability(confidences, correct, bins, adaptive=adaptive)
    n = sum(each.n for each in found)
    return sum(each.n * abs(each.confidence - each.accuracy) for each in found) / n if n else float("nan")


def log_losses(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> Floats:
    """-log of the probability that was given to what is the case, right or wrong, of each word (N,)."""
    sure = np.clip(np.asarray(confidences, dtype=np.float64), 1e-12, 1 - 1e-12)
    losses: Floats = -np.log(np.where(np.asarray(correct, dtype=bool), sure, 1 - sure))
    return losses


def fit_temperature(read: Callable[[float], Readings]) -> float:
    """The temperature at which confidences deserve most belief: the least mean log loss of words being right.

    Guo et al. 2017 (section 4.2) fit the loss of classes; a word's confidence is the product over its characters, and
    what it promises is the word, so that is what is scored here. Found by golden section, in a dozen readings.

    Args:
        read: confidences and whether the words are right at a given temperature. The same words every time.
    """
    known: dict[float, float] = {}

    def loss(at: float) -> float:
        if at not in known:
            known[at] = float(log_losses(*read(math.exp(at))).mean())
        return known[at]

    low, high = math.log(_COOLEST), math.log(_WARMEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    while high - low > 2 * _NEAR:
        if loss(left) < loss(right):
            high, right, left = right, left, right - _GOLDEN * (right - low)
        else:
            low, left, right = left, right, left + _GOLDEN * (high - left)
    return math.exp((low + high) / 2)


def is_better(before: Readings, after: Readings) -> bool:
    """Whether the log losses of the same words fell by more than luck: by over two standard errors of the mean."""
    gains = log_losses(*before) - log_losses(*after)
    return bool(gains.mean() > 2 * gains.std(ddof=1) / math.sqrt(len(gains))) if len(gains) > 1 else False
