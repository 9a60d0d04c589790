"""Characters to token ids and back, numbered as in PARSeq: [E] = 0, characters 1..C, [B] = C + 1, [P] = C + 2."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wordsight.text.charset import Charset


@dataclass(frozen=True)
class CharTokenizer:
    """Turns labels into ids. A decoder's head has C + 1 classes ([E] and the characters); its embedding C + 3 rows."""

    charset: Charset
    eos: ClassVar[int] = 0
    """[E], which ends a word."""

    @property
    def bos(self) -> int:
        """[B], which stands before the first character."""
        return len(self.charset) + 1

    @property
    def pad(self) -> int:
        """[P], which fills a row after [E]."""
        return len(self.charset) + 2

    @property
    def num_classes(self) -> int:
        """Size of the head: [E] and the characters."""
        return len(self.charset) + 1

    @property
    def vocab_size(self) -> int:
        """Size of the embedding: [E], the characters, [B] and [P]."""
        return len(self.charset) + 3

    def ids(self, text: str) -> list[int]:
        """Ids of the characters of `text`, without [B] and [E].

        Raises:
            ValueError: a character is not in the charset.
        """
        return [self.charset.characters.index(c) + 1 for c in text]

    def encode(self, labels: Sequence[str]) -> npt.NDArray[np.int64]:
        """[B] label [E] [P]... for each label: (N, longest + 2)."""
        rows = [self.ids(label) for label in labels]
        out = np.full((len(rows), max(map(len, rows), default=0) + 2), self.pad, dtype=np.int64)
        for row, ids in zip(out, rows, strict=True):
            row[0] = self.bos
            row[1 : len(ids) + 1] = ids
            row[len(ids) + 1] = self.eos
        return out

    def decode(self, ids: Iterable[int]) -> str:
        """The text up to the first [E]; [B] and [P] are skipped."""
        out = []
        for i in ids:
            if i == self.eos:
                break
            if i <= len(self.charset):
                out.append(self.charset.characters[i - 1])
        return "".join(out)
