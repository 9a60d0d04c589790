"""When a difference between two rows of a table is more than luck, with the words and with the seeds."""

from dataclasses import dataclass

import numpy as np

from wordsight.evaluate.paired import Z95, Right, t95


@dataclass(frozen=True)
class Comparison:
    """Two rows, accuracies as shares: how far the first is above the second, and the least that would have counted.

    `covers_seeds` is whether the smallest difference covers the luck of the training seed: not if a row has one seed.
    """

    difference: float
    smallest: float
    covers_seeds: bool

    @property
    def shown(self) -> bool:
        """Whether the difference is larger than luck, at 95 %."""
        return abs(self.difference) > self.smallest


def compare(a: Right, b: Right) -> Comparison:
    """Rows a and b, read on the same words (paired).

    Two kinds of luck are added in quadrature. Words: the standard error of the mean over words of the difference, both
    averaged over seeds; as Bonett and Price (2012) do for paired proportions, two words are added, one that either side
    wins, without which a handful of changed words would seem certain. For one seed each, that is McNemar's setting.
    Seeds: Student's t on the accuracies of the trainings (Welch's variance, pooled degrees of freedom). The seeds also
    move single words, which counts in both, so the smallest difference is rather too large than too small.

    Raises:
        ValueError: the rows were read on different numbers of words.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"rows over {a.shape[1]} and {b.shape[1]} words cannot be compared")
    per_word = a.mean(axis=0) - b.mean(axis=0)
    adjusted = np.append(per_word, [1.0, -1.0])
    words = Z95 * float(adjusted.std()) / len(adjusted) ** 0.5
    freedom = len(a) + len(b) - 2
    variance = sum(float(x.mean(axis=1).var(ddof=1)) / len(x) for x in (a, b) if len(x) > 1)
    seeds = t95(freedom) * variance**0.5 if freedom else 0.0
    return Comparison(float(per_word.mean()), float(np.hypot(words, seeds)), len(a) > 1 and len(b) > 1)


def mean_and_spread(right: Right) -> tuple[float, float | None]:
    """Accuracy over all seeds, and its standard deviation from seed to seed; None of one seed."""
    accuracies = right.mean(axis=1)
    return float(accuracies.mean()), float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
