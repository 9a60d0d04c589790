"""Draft, verify, refine: passes of a decoder over all positions of a batch at once.

Position i of a causal pass over a draft is what step i of greedy decoding would give as long as all earlier positions
of the draft were right. So the first position that the pass corrects, and everything before it, is greedy's own; the
rest of the pass is the next draft.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordsight.decoding import masks
from wordsight.decoding.arrays import KV, Floats, Ids
from wordsight.decoding.logits_constraint import LogitsConstraint, log_softmax
from wordsight.decoding.readings import text_length
from wordsight.text import CharTokenizer

FIRST_DRAFT = 16
"""Positions of the first draft; only rows that have not ended by then are drafted in full. Few words are longer, and a
draft of 41 positions takes clip4str-tiny 0.3 ms more, of about 5 for a word (one AVX-512 core)."""


@dataclass(eq=False)
class Branch:
    """A decoder with its memory, run on some of the rows; it counts its passes. `allowed`: what it may write."""

    graph: Callable[..., Floats]
    kv: KV
    tokenizer: CharTokenizer
    memory_mask: Floats | None = None
    allowed: LogitsConstraint | None = None
    passes: int = 0

    def __call__(self, rows: Ids, context: Ids, length: int, mask: Floats, stepwise: bool = False) -> Floats:
        """Logits (len(rows), length, C + 1), the context being [B] and then the ids (len(rows), P) of those rows.

        `stepwise`: each position is predicted given those before it, not all at once.
        """
        self.passes += 1
        tokens = np.empty((len(rows), length), np.int64)
        tokens[:, 0] = self.tokenizer.bos
        tokens[:, 1:] = context[:, : length - 1]
        kv, masks = self.kv, (mask,) if self.memory_mask is None else (mask, self.memory_mask[rows])
        logits = self.graph(tokens, kv[rows] if len(rows) < len(kv) else kv, *masks)
        if self.allowed is None:
            return logits
        return self.allowed.stepwise(logits) if stepwise else self.allowed.jointly(logits)


def first(branch: Branch, rows: int, positions: int) -> list[Floats]:
    """One pass in which every query sees [B] alone. Logits (P, C + 1) of every row, up to its [E] at least."""
    found: dict[int, Floats] = {}
    todo = np.arange(rows)
    for length in sorted({min(FIRST_DRAFT, positions), positions}):
        nothing = np.full((len(todo), length), branch.tokenizer.pad)
        logits = branch(todo, nothing, length, masks.first_only(len(todo), length))
        found.update((int(r), x) for r, x in zip(todo, logits, strict=True))
        todo = todo[text_length(logits.argmax(axis=2), branch.tokenizer.eos) == length]
        if not len(todo):
            break
    return [found[r] for r in range(rows)]


def greedy(branch: Branch, rows: int, positions: int, columns: Ids | None = None) -> list[Floats]:
    """Greedy logits (length + 1, C + 1) of every row, by a first draft and its verification.

    If `columns` are given, the draft is what they spell, and costs no pass.
    """
    eos = branch.tokenizer.eos
    if columns is not None and branch.allowed is None:
        return verify(branch, spelled(columns, positions, eos), np.full(rows, positions))
    draft = first(branch, rows, positions)
    # Position 0 has nothing but [B] before it, so the draft is final for rows that are empty.
    # Under a constraint the draft was read at once, and its first position knows what may follow.
    finished = {r: x[:1] for r, x in enumerate(draft) if x[0].argmax() == eos and branch.allowed is None}
    return verify(branch, ids(draft, positions, eos), np.full(rows, positions), finished)


def verify(
    branch: Branch, draft: Ids, limits: Ids, finished: dict[int, Floats] | None = None, once: bool = False
) -> list[Floats]:
    """Greedy logits (length + 1, C + 1) of every row, from a draft (B, P) of its ids.

    Row i ends after `limits[i]` positions at the latest. Rows that are `finished` are taken from there. `once`: the
    first pass counts, right or not.
    """
    finished = {} if finished is None else finished
    eos = branch.tokenizer.eos
    draft = draft.copy()
    positions = draft.shape[1]
    todo = np.array([r for r in range(len(draft)) if r not in finished], np.int64)
    while len(todo):
        # One position more than the draft says: if its [E] turns out to be a character, there is a draft for the next.
        length = min(int(text_length(draft[todo], eos).max()) + 2, positions)
        logits = branch(todo, draft[todo], length, masks.causal(len(todo), length), stepwise=True)
        found = logits.argmax(axis=2)
        wrong = found != draft[todo, :length]
        accepted = np.where(wrong.any(axis=1), wrong.argmax(axis=1) + 1, length)
        draft[todo, :length] = found
        # What a row has written up to its own [E] or its limit; it is greedy's as far as it is accepted.
        written = np.minimum(text_length(found, eos) + 1, limits[todo])
        done = (written <= accepted) if not once else np.ones(len(todo), bool)
        finished.update((int(r), x[:n]) for r, x, n, d in zip(todo, logits, written, done, strict=True) if d)
        todo = todo[~done]
    return [finished[r] for r in range(len(draft))]


def refine(branch: Branch, logits: list[Floats], positions: int, whole: bool = False) -> list[Floats]:
    """Refinement: all positions again, each given all the others (cloze). Logits (length + 1, C + 1) in and out.

    `whole`: out come (positions, C + 1).
    """
    eos = branch.tokenizer.eos
    context = ids(logits, positions, eos)
    # The last position is [E]; or, if there was no room for it, a character that is hidden from the others
    lengths = np.array([len(x) for x in logits]) - 1
    refined = list(logits)
    todo = np.arange(len(logits))
    # Positions after a row's new end are never needed; rows that the short pass does not end are done in full.
    short = positions if whole else min(int(lengths.max()) + 2, positions)
    for length in sorted({short, positions}):
        found = branch(todo, context[todo], length, masks.cloze(lengths[todo], length))
        written = text_length(found.argmax(axis=2), eos)
        for r, x, n in zip(todo, found, written, strict=True):
            refined[r] = x if whole else x[: n + 1]
        todo = todo[written == length]
        if not len(todo):
            break
    return refined


def teacher_forced(branch: Branch, written: list[list[int]]) -> list[npt.NDArray[np.float64]]:
    """Log-probabilities (L + 1, C + 1) of all classes, for every row and the L characters `written[i]` that it says.

    Each position is given those before it (teacher forcing); the last one is [E].
    """
    rows, eos = len(written), branch.tokenizer.eos
    length = max(map(len, written)) + 1
    context = np.array([[*ids, *[eos] * (length - len(ids))] for ids in written])
    logs = log_softmax(branch(np.arange(rows), context, length, masks.causal(rows, length)))
    return [row[: len(ids) + 1] for row, ids in zip(logs, written, strict=True)]


def likelihood(branch: Branch, written: list[list[int]]) -> npt.NDArray[np.float64]:
    """Log-probability of the characters `written[i]` and then [E], for every row. Returns (B,)."""
    logs, eos = teacher_forced(branch, written), branch.tokenizer.eos
    return np.array([log[np.arange(len(log)), [*ids, eos]].sum() for log, ids in zip(logs, written, strict=True)])


def spelled(columns: Ids, positions: int, eos: int) -> Ids:
    """What columns (B, W) spell as ids (B, positions), padded with [E]: equal neighbours merge, then [E] goes."""
    out = np.full((len(columns), positions), eos)
    starts = np.diff(columns, axis=1, prepend=-1) != 0
    for row, column, start in zip(out, columns, starts & (columns != eos), strict=True):
        said = column[start][:positions]
        row[: len(said)] = said
    return out


def cut(logits: Floats, eos: int) -> Floats:
    """Logits (P, C + 1) up to and including the first [E]."""
    return logits[: text_length(logits.argmax(axis=1)[None], eos)[0] + 1]


def ids(logits: list[Floats], positions: int, eos: int) -> Ids:
    """The likeliest ids of every row, padded with [E] to (B, positions)."""
    out = np.full((len(logits), positions), eos)
    for row, x in zip(out, logits, strict=True):
        row[: len(x)] = x.argmax(axis=1)
    return out
