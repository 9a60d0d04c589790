"""When two readings of the same words differ by more than luck, the words of one scene not being independent."""

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

Right = npt.NDArray[np.bool_]
"""(seeds, words): whether each training read each word right."""

Ids = npt.NDArray[np.int64]

Z95 = 1.96
"""Two-sided 95 % of the normal distribution."""

_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 12: 2.179}


def t95(freedom: int) -> float:
    """Two-sided 95 % of Student's t; of 11 and above 12 degrees of freedom a little too wide."""
    return _T[max(f for f in _T if f <= freedom)]


@dataclass(frozen=True)
class Paired:
    """Two readings a and b of the same words; shares of 1.

    Attributes:
        n: words.
        clusters: scenes that they come from.
        seeds: trainings of each; of the side that has fewer.
        difference: accuracy of a less that of b, means over seeds.
        low: lower end of the 95 % interval of the difference over scenes, by bootstrap.
        high: its upper end.
        won: words that a alone reads right, summed over these seeds.
        lost: words that b alone reads right, likewise.
        mcnemar: exact two-sided p of McNemar's test that `won` and `lost` are equally likely, of the first seed: it
            takes words as independent, as papers that print it do.
        smallest: the least difference that would be called one at 95 %, with these words, scenes and seeds.
        covers_seeds: whether `smallest` covers the luck of the training seed; not with one seed.
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
        """Whether the difference is larger than luck: beyond `smallest`, and its interval does not hold 0."""
        return abs(self.difference) > self.smallest and not self.low <= 0 <= self.high


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p that of `won` + `lost` changed words so unequal a number went either way: a sign test."""
    n, k = won + lost, min(won, lost)
    tail = sum(comb(n, i) for i in range(k + 1))
    return min(1.0, float(2 * tail / 2**n))


def clustered(values: npt.NDArray[np.float64], clusters: Ids, draws: int = 4000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of `values` (words,), whole clusters drawn with replacement (percentile bootstrap).

    `clusters` (words,) says which words belong together. A function of its arguments.
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
    """Of the mean of `values`, clusters being independent and their words not (the ratio estimator's, linearised)."""
    _, place = np.unique(clusters, return_inverse=True)
    residuals = np.bincount(place, weights=values - values.mean())
    count = len(residuals)
    if count < 2:
        return float("inf")
    return float(np.sqrt(count / (count - 1) * np.square(residuals).sum()) / len(values))


def paired(
    a: Right,
    b: Right,
    clusters: Ids | None = None,
    *,
    same_start: bool = True,
    draws: int = 4000,
    seed: int = 0,
) -> Paired:
    """Compares a and b, which are paired by word.

    The bootstrap draws scenes, on the mean over seeds; as Bonett and Price (2012) do for paired proportions, two words
    are added, a scene each, one that either side wins: without them a handful of changed words would seem certain.
    `smallest` adds two kinds of luck in quadrature: of the scenes (clustered standard error), and of the seeds
    (Student's t). Seeds also move single words, which counts in both, so it is rather too large than too small.

    Args:
        a: the reading in question.
        b: what it is compared with.
        clusters: (words,), which words are of one scene; None: each is of its own.
        same_start: whether trainings are paired by seed, too (same starting weights, same data): the luck is then that
            of the pairs' differences, otherwise that of each side (Welch's variance, pooled degrees of freedom), which
            may have different numbers of seeds.
        draws: of the bootstrap.
        seed: of that.

    Raises:
        ValueError: a and b are of other words or, where they are paired, other seeds; or there are no words.
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
    words = Z95 * standard_error(values, scenes)
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
        smallest=float(np.hypot(words, _luck_of_seeds(a.mean(axis=1), b.mean(axis=1), same_start))),
        covers_seeds=pairs > 1,
    )


def _luck_of_seeds(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], same_start: bool) -> float:
    """Half the 95 % interval of the difference between two means of accuracies, one for each seed; 0 of one seed."""
    groups = [a - b] if same_start else [a, b]
    freedom = sum(map(len, groups)) - len(groups)
    variance = sum(float(x.var(ddof=1)) / len(x) for x in groups if len(x) > 1)
    return t95(freedom) * variance**0.5 if freedom else 0.0


def mean_and_spread(right: Right) -> tuple[float, float | None]:
    """Accuracy over all seeds, and its standard deviation from seed to seed; None of one seed."""
    accuracies = right.mean(axis=1)
    return float(accuracies.mean()), float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
