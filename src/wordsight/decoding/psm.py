"""Draft and verify: greedy autoregressive decoding of PARSeq and CLIP4STR in a few parallel passes.

CLIP4STR (section 3, 'dual predict-and-refine') writes a word step by step, twice, then refines both. Here the steps are
one pass over a draft: position i of a causal pass is what step i would give as long as all earlier positions of the
draft were right. So the first position that the pass corrects, and everything before it, is greedy's own; the rest of
the pass is the next draft. Step by step and draft and verify give the same tokens; the tests hold them side by side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wordsight.decoding import masks
from wordsight.decoding.readings import Reading, reading, text_length
from wordsight.text import CharTokenizer

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

FIRST_DRAFT = 16
"""Positions of the first draft; only rows that have not ended by then are drafted in full. Few words are longer, and a
draft of 41 positions takes clip4str-tiny 0.3 ms more, of about 5 for a word (one AVX-512 core)."""


class PsmGraphs(Protocol):
    """The parts of a recognizer, NumPy in and out.

    B rows, T tokens [B] c1 c2 ..., L memory tokens, K/V (B, depth, 2, L, D), logits (B, T, C + 1); row i of `mask`
    (B, T, T, additive) says which tokens the query of output position i sees. No row may influence another.
    """

    def image(self, images: Floats) -> tuple[Floats, Floats | None]:
        """(B, 3, H, W) to the K/V of the visual and of the cross-modal decoder, the latter None if there is none."""
        ...

    def text(self, tokens: Ids) -> Floats:
        """[B] caption [E] [P]... (B, S) to K/V (B, depth, 2, S, D) of the cross-modal decoder."""
        ...

    def visual(self, tokens: Ids, kv: Floats, mask: Floats) -> Floats:
        """Logits of the visual decoder."""
        ...

    def cross(self, tokens: Ids, kv: Floats, mask: Floats, memory_mask: Floats) -> Floats:
        """Logits of the cross-modal decoder; `memory_mask` (B, L) is additive."""
        ...


@dataclass(frozen=True)
class Passes:
    """How often each graph ran for a batch; rows that were finished had left by then."""

    visual: int
    cross: int
    text: int


@dataclass(frozen=True)
class Decoded:
    """Final logits of every row, (length + 1, C + 1) each: its characters and [E]."""

    logits: list[Floats]
    passes: Passes


def read_psm(
    graphs: PsmGraphs,
    images: Floats,
    tokenizer: CharTokenizer,
    max_length: int,
    *,
    refine_iters: int = 1,
    temperature: float = 1.0,
    alternatives: int = 3,
) -> tuple[list[Reading], Passes]:
    """Reads images (B, 3, H, W); what a row reads does not depend on the other rows.

    Args:
        graphs: The recognizer's parts.
        images: Prepared crops.
        tokenizer: Of the decoders and of the captions.
        max_length: Characters that the recognizer was trained to write at most.
        refine_iters: Cloze refinements after the greedy pass (1 in the paper).
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other characters to report per position.
    """
    decoded = decode_psm(graphs, images, tokenizer, max_length, refine_iters=refine_iters)
    readings = [reading(x, tokenizer, temperature=temperature, alternatives=alternatives) for x in decoded.logits]
    return readings, decoded.passes


def decode_psm(
    graphs: PsmGraphs, images: Floats, tokenizer: CharTokenizer, max_length: int, *, refine_iters: int = 1
) -> Decoded:
    """`read_psm` down to the logits."""
    if len(images) == 0:
        return Decoded([], Passes(0, 0, 0))
    kv_visual, kv_cross = graphs.image(images)
    positions = max_length + 1
    visual = _Branch(graphs.visual, kv_visual)
    visual_logits = _draft_and_verify(visual, len(images), positions, tokenizer)
    captions = _texts(visual_logits, tokenizer)
    if kv_cross is None:
        for _ in range(refine_iters):
            visual_logits = _refine(visual, visual_logits, positions, tokenizer)
        return Decoded(visual_logits, Passes(visual.passes, 0, 0))

    memory = _CrossMemory(graphs, kv_cross, tokenizer, max_length)
    cross = _Branch(graphs.cross, *memory.tell(captions))
    cross_logits = _verify(cross, _ids(visual_logits, positions, tokenizer), tokenizer)
    for _ in range(refine_iters):
        visual_logits = _refine(visual, visual_logits, positions, tokenizer)
        refined = _texts(visual_logits, tokenizer)
        if refined != captions:
            captions = refined
            cross.memory = memory.tell(captions)
        cross_logits = _refine(cross, cross_logits, positions, tokenizer)
    return Decoded(cross_logits, Passes(visual.passes, cross.passes, memory.passes))


class _Branch:
    """A decoder with the memory it reads: runs on some of the rows and counts."""

    def __init__(self, graph: Callable[..., Floats], kv: Floats, *memory_mask: Floats) -> None:
        self.graph = graph
        self.memory: tuple[Floats, ...] = (kv, *memory_mask)
        self.passes = 0

    def __call__(self, rows: Ids, tokens: Ids, mask: Floats) -> Floats:
        """Logits (len(rows), T, C + 1)."""
        self.passes += 1
        memory = self.memory
        if len(rows) < len(memory[0]):
            memory = tuple(m[rows] for m in memory)
        return self.graph(tokens, memory[0], mask, *memory[1:])


class _CrossMemory:
    """Image and caption as one memory. A caption goes through the text tower once, however many rows have it."""

    def __init__(self, graphs: PsmGraphs, kv_image: Floats, tokenizer: CharTokenizer, max_length: int) -> None:
        self.graphs = graphs
        self.kv_image = kv_image
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.known: dict[str, Floats] = {}  # caption to (depth, 2, S, D)
        self.passes = 0

    def tell(self, captions: Sequence[str]) -> tuple[Floats, Floats]:
        """K/V (B, depth, 2, L + longest S, D) of image and caption, and the mask (B, L + longest S) of its padding."""
        captions = [c[: self.max_length] for c in captions]
        new = list(dict.fromkeys(c for c in captions if c not in self.known))
        if new:
            self.passes += 1
            kv_new = self.graphs.text(self.tokenizer.encode(new))
            self.known.update((c, kv[:, :, : len(c) + 2]) for c, kv in zip(new, kv_new, strict=True))
        rows, depth, two, image, width = self.kv_image.shape
        lengths = np.array([image + len(c) + 2 for c in captions])
        kv = np.zeros((rows, depth, two, int(lengths.max()), width), self.kv_image.dtype)
        kv[:, :, :, :image] = self.kv_image
        for row, caption, length in zip(kv, captions, lengths, strict=True):
            row[:, :, image:length] = self.known[caption]
        return kv, masks.padding(lengths, kv.shape[3])


def _draft_and_verify(branch: _Branch, rows: int, positions: int, tokenizer: CharTokenizer) -> list[Floats]:
    """Greedy logits of every row, beginning with a draft in which every query sees [B] alone."""
    draft = np.full((rows, positions), tokenizer.eos)
    finished: dict[int, Floats] = {}
    todo = np.arange(rows)
    for length in sorted({min(FIRST_DRAFT, positions), positions}):
        tokens = _tokens(np.full((len(todo), length), tokenizer.pad), length, tokenizer)
        logits = branch(todo, tokens, masks.first_only(len(todo), length))
        draft[todo, :length] = logits.argmax(axis=2)
        # Position 0 has nothing but [B] before it, so the draft is final for rows that are empty.
        finished.update((int(r), x[:1]) for r, x in zip(todo, logits, strict=True) if draft[r, 0] == tokenizer.eos)
        todo = todo[text_length(draft[todo, :length], tokenizer.eos) == length]
        if not len(todo):
            break
    return _verify(branch, draft, tokenizer, finished)


def _verify(
    branch: _Branch, draft: Ids, tokenizer: CharTokenizer, finished: dict[int, Floats] | None = None
) -> list[Floats]:
    """Greedy logits (length + 1, C + 1) of every row, from a draft (B, P) of its ids."""
    finished = {} if finished is None else finished
    ids = draft.copy()
    positions = ids.shape[1]
    todo = np.array([r for r in range(len(ids)) if r not in finished], np.int64)
    while len(todo):
        # One position more than the draft says: if its [E] turns out to be a character, there is a draft for the next.
        length = min(int(text_length(ids[todo], tokenizer.eos).max()) + 2, positions)
        tokens = _tokens(ids[todo], length, tokenizer)
        logits = branch(todo, tokens, masks.causal(len(todo), length))
        found = logits.argmax(axis=2)
        wrong = found != ids[todo, :length]
        accepted = np.where(wrong.any(axis=1), wrong.argmax(axis=1) + 1, length)
        ids[todo, :length] = found
        written = text_length(found, tokenizer.eos)  # below `accepted` where the row has come to its end
        done = (written < accepted) | (accepted == positions)
        finished.update((int(r), x[: n + 1]) for r, x, n, d in zip(todo, logits, written, done, strict=True) if d)
        todo = todo[~done]
    return [finished[r] for r in range(len(ids))]


def _refine(branch: _Branch, logits: list[Floats], positions: int, tokenizer: CharTokenizer) -> list[Floats]:
    """All positions once more, each told what the others said (cloze). Logits (length + 1, C + 1) in and out."""
    ids = _ids(logits, positions, tokenizer)
    refined: list[Floats] = list(logits)
    lengths = text_length(ids, tokenizer.eos)
    todo = np.arange(len(ids))
    # Positions after a row's new end are never needed; rows that the short pass does not end are done in full.
    for length in sorted({min(int(lengths.max()) + 2, positions), positions}):
        mask = masks.cloze(lengths[todo], length)
        found = branch(todo, _tokens(ids[todo], length, tokenizer), mask)
        written = text_length(found.argmax(axis=2), tokenizer.eos)
        for r, x, n in zip(todo, found, written, strict=True):
            refined[r] = x[: n + 1]
        todo = todo[written == length]
        if not len(todo):
            break
    return refined


def _tokens(ids: Ids, length: int, tokenizer: CharTokenizer) -> Ids:
    """Content of `length` tokens: [B], then the ids (B, P) shifted by one."""
    tokens = np.empty((len(ids), length), np.int64)
    tokens[:, 0] = tokenizer.bos
    tokens[:, 1:] = ids[:, : length - 1]
    return tokens


def _ids(logits: list[Floats], positions: int, tokenizer: CharTokenizer) -> Ids:
    """The likeliest ids of every row, filled up with [E] to (B, positions)."""
    ids = np.full((len(logits), positions), tokenizer.eos)
    for row, x in zip(ids, logits, strict=True):
        row[: len(x)] = x.argmax(axis=1)
    return ids


def _texts(logits: list[Floats], tokenizer: CharTokenizer) -> list[str]:
    return [tokenizer.decode(x.argmax(axis=1).tolist()) for x in logits]
