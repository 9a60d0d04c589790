"""What the text tower of a recognizer is told: a reading as tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wordsight.text.bpe import ClipTokenizer
from wordsight.text.charset import Charset
from wordsight.text.tokenizer import CharTokenizer

Ids = npt.NDArray[np.int64]


class Captions(Protocol):
    """Makes captions of readings."""

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """Token ids (N, S), and how many tokens of each row (N,) the decoder sees."""
        ...


@dataclass(frozen=True)
class CharCaptions:
    """[B] reading [E], by the recognizer's own tokenizer; [P] up to the longest, which nobody sees."""

    tokenizer: CharTokenizer
    max_length: int

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(N, longest + 2). Readings of more than `max_length` characters are cut."""
        texts = [text[: self.max_length] for text in texts]
        return self.tokenizer.encode(texts), np.array([len(text) + 2 for text in texts], np.int64)


@dataclass(frozen=True)
class ClipCaptions:
    """CLIP's tokens of the lower-case letters and digits of a reading, zero padded, padding seen (as released)."""

    context: int = 16
    tokenizer: ClipTokenizer = field(default_factory=ClipTokenizer)

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(N, context)."""
        adapt = Charset.preset("36").adapt
        tokens = self.tokenizer.encode([adapt(text) for text in texts], self.context)
        return tokens, np.full(len(texts), self.context)
