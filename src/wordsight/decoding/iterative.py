"""Reading, then correcting what was read with a language model, again and again (ABINet, arXiv 2103.06495)."""

from typing import Protocol

import numpy as np

from wordsight.decoding.graphs import Floats, Ids, Rows, Spec
from wordsight.decoding.readings import Reading, reading, text_length

CORRECTIONS = 3
"""In the paper (section 3.3), trained and tested."""


class IterativeGraphs(Protocol):
    """The parts of a recognizer. B rows, P = max_length + 1 positions; no row may influence another."""

    def image(self, images: Floats) -> tuple[Floats, Rows]:
        """(B, 3, H, W) to logits (B, P, C + 1) of what is seen, and the features that corrections need."""
        ...

    def correct(self, logits: Floats, features: Rows) -> Floats:
        """Logits of a reading (B, P, C + 1) to those of its correction: language model and fusion with the features."""
        ...


def read_iterative(
    graphs: IterativeGraphs,
    images: Floats,
    spec: Spec,
    *,
    corrections: int = CORRECTIONS,
    temperature: float = 1.0,
    alternatives: int = 3,
) -> list[Reading]:
    """Reads images (B, 3, H, W); what a row reads does not depend on the other rows.

    Args:
        graphs: The recognizer's parts.
        images: Prepared crops.
        spec: The rest of the recognizer.
        corrections: How often a reading is corrected at most. 0 leaves what is seen.
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other characters to report per position.
    """
    logits = decode_iterative(graphs, images, spec, corrections)
    return [reading(x, spec.tokenizer, temperature=temperature, alternatives=alternatives) for x in logits]


def decode_iterative(
    graphs: IterativeGraphs, images: Floats, spec: Spec, corrections: int = CORRECTIONS
) -> list[Floats]:
    """`read_iterative` down to the logits (length + 1, C + 1) of every row: its characters and [E].

    A row whose reading a correction has left as it was is not corrected again (ours: the language model is told
    probabilities, so a further round might still have changed it; the paper always makes as many).
    """
    if not len(images):
        return []
    logits, features = graphs.image(images)
    final = logits.copy()
    todo = np.arange(len(images))
    for left in range(corrections, 0, -1):
        before, logits = logits, graphs.correct(logits, features)
        final[todo] = logits
        changed = np.flatnonzero((_spelled(logits, spec) != _spelled(before, spec)).any(axis=1))
        if left == 1 or not len(changed):
            break
        if len(changed) < len(todo):
            todo, logits, features = todo[changed], logits[changed], features[changed]
    lengths = text_length(final.argmax(axis=2), spec.tokenizer.eos)
    return [row[: length + 1] for row, length in zip(final, lengths, strict=True)]


def _spelled(logits: Floats, spec: Spec) -> Ids:
    """Likeliest ids (B, P), nothing but [E] from the first [E] on."""
    ids: Ids = logits.argmax(axis=2)
    lengths = text_length(ids, spec.tokenizer.eos)
    return np.where(np.arange(ids.shape[1]) < lengths[:, None], ids, spec.tokenizer.eos)
