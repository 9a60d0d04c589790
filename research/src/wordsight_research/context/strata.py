"""Parts of a test set that are scored apart: words that training saw and others, repeated words, lengths."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wordsight.evaluate.wordset import WordSet

Mask = npt.NDArray[np.bool_]

LENGTHS = ((1, 3), (4, 6), (7, 10), (11, None))
"""Word lengths that are scored together; None is no end."""

FREQUENCIES = ((0, 0), (1, 1), (2, 9), (10, None))
"""How often training had a word: never, once, a few times, often."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that a training had, with how often: those that a test has besides are out of vocabulary (OOV).

    Attributes:
        counts: label to how often it was trained on, labels as they were trained on.
        folded: whether case is ignored.
        also: more words, of an earlier stage of which only hashes are known; with case ignored alone.
    """

    counts: Mapping[str, int]
    folded: bool = False
    also: WordSet | None = None
    _known: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known: Counter[str] = Counter()
        for label, count in self.counts.items():
            known[self._key(label)] += count
        object.__setattr__(self, "_known", known)

    @classmethod
    def of(cls, labels: Iterable[str], folded: bool = False) -> "Vocabulary":
        """From the labels that were actually trained on, after all filters."""
        return cls(Counter(labels), folded)

    def _key(self, label: str) -> str:
        return label.casefold() if self.folded else label

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, label: str) -> bool:
        return self._key(label) in self._known or (self.also is not None and label in self.also)

    @property
    def hash(self) -> str:
        """SHA-256 of the different words in order, hexadecimal: says which vocabulary a split was made with."""
        known = "\n".join(sorted(self._known)).encode()
        return hashlib.sha256(known + (b"" if self.also is None else self.also.hashes.tobytes())).hexdigest()

    def frequency(self, label: str) -> int:
        """How often training had this word."""
        return self._known.get(self._key(label), 0)

    def known(self, labels: Sequence[str]) -> Mask:
        """(words,) which of the labels are in vocabulary (IV)."""
        return np.array([label in self for label in labels], dtype=bool)

    def by_frequency(self, labels: Sequence[str]) -> dict[str, Mask]:
        """Title to words, by how often training had them; empty strata are left out."""
        return _binned("seen", [self.frequency(label) for label in labels], FREQUENCIES)


def by_length(labels: Sequence[str]) -> dict[str, Mask]:
    """Title to words, by their length in characters; empty strata are left out."""
    return _binned("length", [len(label) for label in labels], LENGTHS)


def by_kind(labels: Sequence[str]) -> dict[str, Mask]:
    """Words of letters alone, with a digit, with something else: digits are out of vocabulary more often."""
    digit = np.array([any(c.isdigit() for c in label) for label in labels], dtype=bool)
    letters = np.array([label.isalpha() for label in labels], dtype=bool)
    kinds = {"letters": letters, "with digits": digit, "with punctuation": ~letters & ~digit}
    return {title: mask for title, mask in kinds.items() if mask.any()}


def repeated(labels: Sequence[str], scenes: Sequence[int], all_words: Iterable[tuple[int, str]] = ()) -> Mask:
    """(words,) which of the words occur in their scene more than once; fold them as they are compared before.

    A recognizer that is given the scene may then just read the word a second time. `scenes` says which scene each
    word is of; `all_words` are (scene, text) of all words in them where the scored ones are only some.
    """
    pairs = list(zip(scenes, labels, strict=True))
    count = Counter(list(all_words) or pairs)
    return np.array([count[pair] > 1 for pair in pairs], dtype=bool)


def _binned(what: str, values: Sequence[int], bins: Iterable[tuple[int, int | None]]) -> dict[str, Mask]:
    numbers = np.asarray(values)
    out = {}
    for low, high in bins:
        mask = (numbers >= low) & (numbers <= high if high is not None else True)
        if mask.any():
            span = f"{low}+" if high is None else f"{low}" if high == low else f"{low}-{high}"
            out[f"{what} {span}"] = mask
    return out
