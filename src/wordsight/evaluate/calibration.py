"""Calibration of confidences: reliability, expected calibration error, and fitting a temperature."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15  # Guo et al. 2017, "On Calibration of Modern Neural Networks", section 5

_COOLEST, _WARMEST = 0.5, 4.0  # range of temperatures; a model that needs another is broken, not overconfident
_NEAR = 0.01  # relative precision of the temperature, beyond what 1,000 words can determine
_GOLDEN = (math.sqrt(5) - 1) / 2

Floats = npt.NDArray[np.float64]
Readings = tuple[npt.ArrayLike, npt.ArrayLike]
"""Confidences (N,) of words, and whether they were right (N,)."""


@dataclass(frozen=True)
class Bin:
    """Words of similar confidence: their number, their mean confidence, and the share of them that is right."""

    n: int
    confidence: float
    accuracy: float


def reliability(
    confidences: npt.ArrayLike, correct: npt.ArrayLike, bins: int = CALIBRATION_BINS, *, adaptive: bool = False
) -> list[Bin]:
    """A reliability diagram: the words in bins of increasing confidence, without empty bins.

    Args:
        confidences: (N,) in [0, 1].
        correct: (N,), whether each word is right.
        bins: number of bins.
        adaptive: bins of equally many words, to one (Nguyen and O'Connor 2015), which may separate equal confidences.
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

    Arguments are those of `reliability`. NaN if there are no words.
    """
    found = reliability(confidences, correct, bins, adaptive=adaptive)
    n = sum(each.n for each in found)
    return sum(each.n * abs(each.confidence - each.accuracy) for each in found) / n if n else float("nan")


def log_losses(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> Floats:
    """Log loss of each word (N,): -log of the confidence if it is right, of 1 - confidence if it is wrong."""
    sure = np.clip(np.asarray(confidences, dtype=np.float64), 1e-12, 1 - 1e-12)
    losses: Floats = -np.log(np.where(np.asarray(correct, dtype=bool), sure, 1 - sure))
    return losses


def fit_temperature(read: Callable[[float], Readings]) -> float:
    """The temperature with the least mean log loss of words being right, by golden-section search in a dozen readings.

    Guo et al. 2017 (section 4.2) fit the loss of classes; here it is that of words, whose confidence is the product
    over their characters.

    Args:
        read: confidences and whether the words are right at a given temperature, for the same words every time.
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
    """Whether the mean log loss of the same words fell significantly: by more than two standard errors."""
    gains = log_losses(*before) - log_losses(*after)
    return bool(gains.mean() > 2 * gains.std(ddof=1) / math.sqrt(len(gains))) if len(gains) > 1 else False
