"""Two readers of what an image shows decide together: CTC over frames, and a decoder of words over finer columns.

CTC takes frames for independent of each other; the decoder (PARSeq's) says each character in view of those before it.
They are wrong about different words. So of the texts that either may read the one is taken that both, weighed, find
likeliest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from wordsight.decoding import draft_verify
from wordsight.decoding.arrays import KV, Floats
from wordsight.decoding.ctc_paths import Text
from wordsight.decoding.draft_verify import Branch
from wordsight.decoding.graphs import Engine, computed
from wordsight.decoding.logits_constraint import log_softmax
from wordsight.decoding.readings import text_length
from wordsight.text import CharTokenizer

LONGEST, MOST_COLUMNS = 40, 512
"""Characters and columns of the longest word that a decoder of words reads."""

SHARE = 0.4
"""Of the decoder's log-likelihood in the sum that decides."""

_LIMITS = np.array([LONGEST + 1])


@dataclass(frozen=True)
class SecondReader:
    """The decoder, bound to one image.

    Attributes:
        engine: runs its graphs: `memory`, columns (1, L, D) of a word to its keys and values (1, depth, 2, L, D'), and
            `visual`, see `PsmGraphs`.
        columns: (L, D) of the image.
        tokenizer: of its characters.
    """

    engine: Engine
    columns: Floats
    tokenizer: CharTokenizer

    def word(self, start: float, end: float) -> "Word | None":
        """Bound to the part of the image between two shares of its columns; None: it is too long."""
        first, last = round(start * len(self.columns)), round(end * len(self.columns))
        if not 0 < last - first <= MOST_COLUMNS:
            return None
        return Word(self.engine, self.engine.run("memory", self.columns[None, first:last])[0], self.tokenizer)


@dataclass(frozen=True)
class Word:
    """The decoder, bound to one word: its keys and values (1, depth, 2, L, D)."""

    engine: Engine
    kv: KV
    tokenizer: CharTokenizer

    def judge(self, texts: Sequence[Text]) -> dict[Text, float]:
        """Log-probability of each text, and of the one that it reads itself from left to right.

        Args:
            texts: of ids. The nearer the first is to what it reads itself, the fewer passes that takes.
        """
        decoder, eos = partial(computed, self.engine, "visual"), self.tokenizer.eos
        branch = Branch(decoder, self.kv[np.zeros(len(texts), np.int64)], self.tokenizer)
        logs = draft_verify.teacher_forced(branch, [list(text) for text in texts])
        judged = {text: _total(log, (*text, eos)) for text, log in zip(texts, logs, strict=True)}
        found = logs[0].argmax(axis=1)
        if tuple(found.tolist()) != (*texts[0], eos):
            draft = np.full((1, LONGEST + 1), eos)
            draft[0, : len(found)] = found
            (logits,) = draft_verify.verify(Branch(decoder, self.kv, self.tokenizer), draft, _LIMITS)
            own = logits.argmax(axis=1)
            length = int(text_length(own[None], eos)[0])
            if length <= LONGEST:
                judged.setdefault(tuple(own[:length].tolist()), _total(log_softmax(logits), own.tolist()))
        return judged


def _total(logs: npt.NDArray[np.float64], ids: Sequence[int]) -> float:
    """Of log-probabilities (L, C + 1) those of these ids, added up."""
    return float(logs[np.arange(len(ids)), ids].sum())
