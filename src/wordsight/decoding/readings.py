"""A recognizer's reading of one crop: its text, and how sure it is of every character."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.text import CharTokenizer

ALTERNATIVES = 3
"""How many other classes are reported for each character."""

Span: TypeAlias = tuple[float, float]
"""From and to."""


@dataclass(frozen=True)
class Char:
    """One character, its probability, and the next most likely ones with theirs ("" stands for the end of the word)."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Reading:
    """The text of one crop. `confidence` is the probability that all of it is right.

    `outside`: it was read under a constraint, and what is written there looks far more like something else.

    `free_confidence`: of what would be read without that constraint, or without a dictionary, where that is another
    text; or before a temperature was applied.

    `margin`: by how much the likeliest class led the second, in logits, where that was least; a small error in the
    arithmetic can change a word with a small margin.

    `places`: where each character stands, as shares of the input's width; empty where the recognizer does not tell.

    `words`: where the text has spaces and places are known, a reading for each word between them.
    """

    text: str
    confidence: float
    chars: tuple[Char, ...] = ()
    outside: bool = False
    free_confidence: float | None = None
    margin: float = field(default=float("inf"), compare=False)
    places: tuple[Span, ...] = ()
    words: tuple["Reading", ...] = ()

    @property
    def clarity(self) -> float:
        """How sure it is of what it sees, allowed or not: what tells which way up a picture is."""
        return self.confidence if self.free_confidence is None else self.free_confidence

    def widened(self, factor: float) -> "Reading":
        """With places as shares of a part of the input that begins with it and is this many times smaller."""
        if not self.places:
            return self
        places = tuple((min(1.0, a * factor), min(1.0, b * factor)) for a, b in self.places)
        return replace(self, places=places, words=tuple(word.widened(factor) for word in self.words))


def text_length(ids: npt.NDArray[np.int64], eos: int) -> npt.NDArray[np.int64]:
    """How many ids stand before the first `eos` in every row of (B, P) ids; P where there is none. Returns (B,)."""
    ended = ids == eos
    lengths: npt.NDArray[np.int64] = np.where(ended.any(axis=1), ended.argmax(axis=1), ids.shape[1])
    return lengths


def reading(logits: npt.NDArray[np.float32], tokenizer: CharTokenizer, *, temperature: float = 1.0) -> Reading:
    """The reading that final logits (P, C + 1) spell: the likeliest class of every position up to the first [E].

    Where no position says [E] (a word longer than the model can write) all of them are characters.
    """
    length = int(text_length(logits.argmax(axis=1)[None], tokenizer.eos)[0])
    found = probabilities(logits[: length + 1], temperature)
    chars = characters(found[:length], tokenizer)
    first, second = np.partition(logits[: length + 1], (-2, -1), axis=1)[:, :-3:-1].T
    return Reading(
        "".join(c.text for c in chars), float(found.max(axis=1).prod()), chars, margin=float((first - second).min())
    )


def probabilities(logits: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float64]:
    """Softmax of logits (P, C + 1) over `temperature`."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = np.exp(scaled)
    found /= found.sum(axis=1, keepdims=True)
    return found


def characters(
    found: npt.NDArray[np.float64], tokenizer: CharTokenizer, ids: Sequence[int] | None = None
) -> tuple[Char, ...]:
    """Class `ids[i]`, or the likeliest, of every row of probabilities (P, C + 1), with `ALTERNATIVES` others."""
    names = ("", *tokenizer.charset.characters)
    ranks = found.copy()
    if ids is not None:
        ranks[np.arange(len(ids)), ids] = np.inf
    order = np.empty((len(ranks), min(ALTERNATIVES + 1, ranks.shape[1])), np.intp)
    for place in range(order.shape[1]):  # far fewer than there are classes, which need not be sorted
        order[:, place] = ranks.argmax(axis=1)
        ranks[np.arange(len(ranks)), order[:, place]] = -np.inf
    ranked = np.take_along_axis(found, order, axis=1).tolist()
    pairs = [[(names[i], p) for i, p in zip(*row, strict=True)] for row in zip(order.tolist(), ranked, strict=True)]
    return tuple(Char(*first, tuple(others)) for first, *others in pairs)
