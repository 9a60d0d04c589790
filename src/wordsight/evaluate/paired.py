"""Significance of the difference between two readings of the same words, where words of a scene are not independent."""

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

Right = npt.NDArray[np.bool_]
"""(seeds, words): whether each training read each word right."""

Ids = npt.NDArray[np.int64]

_Z95 = 1.96  # two-sided 95 % of the normal distribution
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 12: 2.179}


def _t95(freedom: int) -> float:
    """Two-sided 95 % of Student's t; slightly too wide for 11 and more than 12 degrees of freedom."""
    return _T[max(f for f in _T if f <= freedom)]


@dataclass(frozen=True)
class Paired:
    """Two readings a and b of the same words; shares of 1.

    Attributes:
        n: words.
        clusters: scenes that they come from.
        seeds: trainings of each side, or of the one with fewer.
        difference: accuracy of a minus that of b, means over seeds.
        low, high: the 95 % interval of the difference over scenes, by bootstrap.
        won, lost: words that only a, or only b, reads right, summed over these seeds.
        mcnemar: exact two-sided p-value of McNemar's test for the first seed, which treats words as independent.
        smallest: the least difference that is significant at 95 %, with these words, scenes and seeds.
        covers_seeds: whether `smallest` accounts for the variation between seeds; not with one seed.
    """

    n: int
    clusters: int
    seeds: int
    difference: float
    low: float
    high: float
    won: int
    lost: int
    mcnemar: float
    smallest: float
    covers_seeds: bool

    @property
    def shown(self) -> bool:
        """Whether the difference is significant: beyond `smallest`, and 0 is not in its interval."""
        return abs(self.difference) > self.smallest and not self.low <= 0 <= self.high


def mcnemar(won: int, lost: int) -> float:
    """Exact two-sided p-value of McNemar's test, a sign test of the `won` + `lost` changed words."""
    n, k = won + lost, min(won, lost)
    tail = sum(comb(n, i) for i in range(k + 1))
    return min(1.0, float(2 * tail / 2**n))


def clustered(values: npt.NDArray[np.float64], clusters: Ids, draws: int = 4000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of `values` (words,), by percentile bootstrap over whole clusters.

    `clusters` (words,) says which words belong together. Deterministic.
    """
    _, place = np.unique(clusters, return_inverse=True)
    totals = np.bincount(place, weights=values)
    sizes = np.bincount(place).astype(np.float64)
    dice = np.random.default_rng(seed)
    means = []
    for start in range(0, draws, 500):
        rows = min(500, draws - start)
        picked = dice.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=rows)  # (rows, clusters)
        means.append((picked @ totals) / (picked @ sizes))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def standard_error(values: npt.NDArray[np.float64], clusters: Ids) -> float:
    """Standard error of the mean of `values` with independent clusters (of the linearised ratio estimator)."""
    _, place = np.unique(clusters, return_inverse=True)
    residuals = np.bincount(place, weights=values - values.mean())
    count = len(residuals)
    if count < 2:
        return float("inf")
    return float(np.sqrt(count / (count - 1) * np.square(residuals).sum()) / len(values))


def paired(
    a: Right, b: Right, clusters: Ids | None = None, *, same_start: bool = True, draws: int = 4000, seed: int = 0
) -> Paired:
    """Compares a and b, which are paired by word.

    The bootstrap draws scenes, for the mean over seeds; after Bonett and Price (2012) two words in scenes of their own
    are added, one won by each side: otherwise a handful of changed words would seem certain. `smallest` adds the
    variances of the scenes (clustered standard error) and of the seeds (Student's t), and tends to be too large: seeds
    also change single words, which counts in both.

    Args:
        a: the reading in question.
        b: what it is compared with.
        clusters: (words,), the scene of each word; None: each word is a scene of its own.
        same_start: whether trainings are also paired by seed (same starting weights, same data); otherwise the variance
            is that of each side (Welch's, with pooled degrees of freedom), which may have different numbers of seeds.
        draws: of the bootstrap, like `seed`.

    Raises:
        ValueError: a and b have different words or, if paired, different numbers of seeds; or there are no words.
    """
    if clusters is None:
        clusters = np.arange(a.shape[1])
    if a.shape[1:] != b.shape[1:] or a.shape[1:] != clusters.shape or (same_start and len(a) != len(b)):
        raise ValueError(f"{a.shape} and {b.shape} seeds and words in {clusters.shape} scenes are not paired")
    if not a.size:
        raise ValueError("there are no words to compare")
    per_word = a.mean(axis=0) - b.mean(axis=0)
    values = np.append(per_word, [1.0, -1.0])
    above = int(clusters.max())
    scenes = np.append(clusters, [above + 1, above + 2])
    low, high = clustered(values, scenes, draws, seed)
    words = _Z95 * standard_error(values, scenes)
    pairs = min(len(a), len(b))
    won, lost = a[:pairs] & ~b[:pairs], b[:pairs] & ~a[:pairs]
    return Paired(
        n=a.shape[1],
        clusters=len(np.unique(clusters)),
        seeds=pairs,
        difference=float(per_word.mean()),
        low=low,
        high=high,
        won=int(won.sum()),
        lost=int(lost.sum()),
        mcnemar=mcnemar(int(won[0].sum()), int(lost[0].sum())),
        smallest=float(np.hypot(words, _variation_of_seeds(a.mean(axis=1), b.mean(axis=1), same_start))),
        covers_seeds=pairs > 1,
    )


def _variation_of_seeds(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], same_start: bool) -> float:
    """Half the 95 % interval of the difference between the mean accuracies over seeds; 0 with one seed."""
    groups = [a - b] if same_start else [a, b]
    freedom = sum(map(len, groups)) - len(groups)
    variance = sum(float(x.var(ddof=1)) / len(x) for x in groups if len(x) > 1)
    return _t95(freedom) * variance**0.5 if freedom else 0.0
