"""Captions: readings as tokens for the text tower of a recognizer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.text.bpe import ClipTokenizer, engine
from wordsight.text.charset import Charset
from wordsight.text.tokenizer import CharTokenizer

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CharCaptions:
    """[B] reading [E] by the recognizer's own tokenizer, padded with [P], which is masked."""

    tokenizer: CharTokenizer
    max_length: int

    @property
    def pad(self) -> int:
        """[P]."""
        return self.tokenizer.pad

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(N, longest + 2). Readings of more than `max_length` characters are cut."""
        texts = [text[: self.max_length] for text in texts]
        return self.tokenizer.encode(texts), np.array([len(text) + 2 for text in texts], np.int64)


@dataclass(frozen=True)
class ClipCaptions:
    """CLIP's tokens of the lower-case letters and digits of a reading, padded with zeros that are not masked.

    As in the released models, which only know ASCII, accents are removed.
    """

    pad: ClassVar[None] = None
    context: int = 16
    tokenizer: ClipTokenizer = field(default_factory=ClipTokenizer)

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(N, context)."""
        charset = Charset.preset("36")
        tokens = self.tokenizer.encode([charset.adapt(charset.normalize(text)) for text in texts], self.context)
        return tokens, np.full(len(texts), self.context)


@dataclass(frozen=True)
class HubCaptions:
    """A reading by the tokenizer of a text encoder from the hub, in its case and with its special tokens.

    `tokenizer` is the content of its tokenizer.json, whose rules for padding and truncation are ignored.
    """

    pad: ClassVar[int] = -1  # no token of any tokenizer
    tokenizer: str = field(repr=False)
    context: int

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(N, longest), at most `context`. Longer ones are cut, their special tokens kept."""
        tokenizer = _cutting(self.tokenizer, self.context)
        # One by one, see ClipTokenizer. Some give no token for an empty reading, with which no text encoder works.
        rows = [tokenizer.encode(text).ids or [0] for text in texts]
        lengths = np.array([len(row) for row in rows], np.int64)
        out = np.full((len(rows), lengths.max(initial=0)), self.pad, np.int64)
        for row, ids in zip(out, rows, strict=True):
            row[: len(ids)] = ids
        return out, lengths

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return int(_cutting(self.tokenizer, self.context).get_vocab_size())

    def names(self, ids: Ids) -> tuple[str, ...]:
        """The tokens of a caption as text."""
        tokenizer = _cutting(self.tokenizer, self.context)
        return tuple(tokenizer.id_to_token(int(i)) or str(i) for i in ids)


Captions: TypeAlias = CharCaptions | ClipCaptions | HubCaptions
"""What turns readings into tokens: `encode` gives ids (N, S) and how many of each row the decoder sees (N,); `pad` is
the padding token, hidden from the decoder, or None if it sees the whole row."""


@lru_cache(2)
def _cutting(content: str, context: int) -> Any:
    tokenizer = engine(content, "what this model carries")
    tokenizer.no_padding()
    tokenizer.enable_truncation(context)
    return tokenizer
