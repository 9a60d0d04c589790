"""Comparing two readings of the same words: what one of them mends or spoils, and whether that is significant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wordsight.evaluate.metrics import Record, is_right
from wordsight.evaluate.paired import Paired, paired
from wordsight.evaluate.protocol import Protocol


@dataclass(frozen=True)
class Contrast:
    """Reading `one` minus reading `other` on a data set, under a protocol.

    Attributes:
        result: the difference, its interval over scenes, McNemar's test.
        accuracy: of `one`; `other_accuracy` of the other; shares of 1.
        mended: words that only `one` reads right, each with the other's reading; `spoilt` those that only it reads
            wrong.
    """

    dataset: str
    protocol: str
    one: str
    other: str
    result: Paired
    accuracy: float
    other_accuracy: float
    mended: tuple[tuple[Record, Record], ...]
    spoilt: tuple[tuple[Record, Record], ...]


def contrast(
    one: Sequence[Record],
    other: Sequence[Record],
    scenes: Sequence[str],
    protocol: Protocol,
    names: tuple[str, str],
    dataset: str,
) -> Contrast | None:
    """Compares two readings of the same crops in the same order; None if the protocol counts none of them.

    Args:
        one: the reading in question, `other` what it is compared with.
        scenes: the photograph of each crop, empty if unknown: the crop is then a cluster of its own.
        protocol: decides which words count and which are right.
        names: of both readings.
        dataset: for tables.

    Raises:
        ValueError: they are not of the same crops.
    """
    if [r.id for r in one] != [r.id for r in other] or len(one) != len(scenes):
        raise ValueError("readings of different crops cannot be compared")
    rows = [i for i, record in enumerate(one) if not protocol.reject(record.label)]
    if not rows:
        return None
    right = np.array([[is_right(reading[i], protocol) for i in rows] for reading in (one, other)])
    numbers: dict[str, int] = {}
    clusters = np.array([numbers.setdefault(scenes[i] or f"alone {i}", len(numbers)) for i in rows])
    result = paired(right[:1], right[1:], clusters)
    pairs = [(one[i], other[i]) for i in rows]
    mended = tuple(pair for pair, (a, b) in zip(pairs, right.T, strict=True) if a and not b)
    spoilt = tuple(pair for pair, (a, b) in zip(pairs, right.T, strict=True) if b and not a)
    first, second = (float(x) for x in right.mean(axis=1))
    return Contrast(dataset, protocol.name, *names, result, first, second, mended, spoilt)
