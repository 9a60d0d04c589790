"""What a recognizer says about one crop: its text, and how sure it is of every character."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordsight.text import CharTokenizer


@dataclass(frozen=True)
class Char:
    """One character: its probability, and the next likeliest characters with theirs ("" stands for the word's end)."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Reading:
    """The text of one crop. `confidence` is the product of the probabilities of its characters and of [E]."""

    text: str
    confidence: float
    chars: tuple[Char, ...] = ()


def text_length(ids: npt.NDArray[np.int64], eos: int) -> npt.NDArray[np.int64]:
    """How many ids stand before the first `eos` in every row of (B, P) ids; P where there is none. Returns (B,)."""
    ended = ids == eos
    lengths: npt.NDArray[np.int64] = np.where(ended.any(axis=1), ended.argmax(axis=1), ids.shape[1])
    return lengths


def reading(
    logits: npt.NDArray[np.float32], tokenizer: CharTokenizer, *, temperature: float = 1.0, alternatives: int = 3
) -> Reading:
    """The reading that final logits (P, C + 1) spell: the likeliest class of every position up to the first [E].

    Where no position says [E] (a word longer than the model can write) all of them are characters.
    """
    length = int(text_length(logits.argmax(axis=1)[None], tokenizer.eos)[0])
    scaled = logits[: length + 1].astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    probabilities = np.exp(scaled)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    # Stable, so that the first of two equal classes wins here as it does in argmax.
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : alternatives + 1]
    ranked = np.take_along_axis(probabilities, order, axis=1)
    names = ("", *tokenizer.charset.characters)
    chars = tuple(_char(names, ids, values) for ids, values in zip(order[:length], ranked[:length], strict=True))
    return Reading("".join(c.text for c in chars), float(ranked[:, 0].prod()), chars)


def _char(names: Sequence[str], ids: npt.NDArray[np.intp], probabilities: npt.NDArray[np.float64]) -> Char:
    pairs = [(names[i], float(p)) for i, p in zip(ids, probabilities, strict=True)]
    return Char(*pairs[0], tuple(pairs[1:]))
