"""Greedy decoding of recurrent recognizers (TRBA): one character a step, told the one before."""

from typing import Protocol

import numpy as np

from wordsight.decoding.graphs import Floats, Ids, Rows, Spec
from wordsight.decoding.readings import Reading, reading


class RecurrentGraphs(Protocol):
    """The parts of a recognizer. B rows; no row may influence another."""

    def image(self, images: Floats) -> tuple[Rows, Rows]:
        """(B, 3, H, W) to what every step reads (features and their projection, computed once) and the first state."""
        ...

    def step(self, tokens: Ids, state: Rows, memory: Rows) -> tuple[Floats, Rows]:
        """Ids (B,) of the characters before, [B] at first, to logits (B, C + 1) of the next ones and the next state."""
        ...


def read_recurrent(
    graphs: RecurrentGraphs,
    images: Floats,
    spec: Spec,
    *,
    temperature: float = 1.0,
    alternatives: int = 3,
) -> list[Reading]:
    """Reads images (B, 3, H, W); what a row reads does not depend on the other rows.

    Args:
        graphs: The recognizer's parts.
        images: Prepared crops.
        spec: The rest of the recognizer.
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other characters to report per position.
    """
    logits = decode_recurrent(graphs, images, spec)
    return [reading(x, spec.tokenizer, temperature=temperature, alternatives=alternatives) for x in logits]


def decode_recurrent(graphs: RecurrentGraphs, images: Floats, spec: Spec) -> list[Floats]:
    """`read_recurrent` down to the logits (length + 1, C + 1) of every row: its characters and [E]."""
    written: list[list[Floats]] = [[] for _ in images]
    todo = np.arange(len(images))
    if not len(todo):
        return []
    memory, state = graphs.image(images)
    tokens = np.full(len(todo), spec.tokenizer.bos)
    for _ in range(spec.max_length + 1):
        logits, state = graphs.step(tokens, state, memory)
        for row, x in zip(todo, logits, strict=True):
            written[row].append(x)
        tokens = logits.argmax(axis=1)
        going = np.flatnonzero(tokens != spec.tokenizer.eos)
        if not len(going):
            break
        if len(going) < len(todo):  # rows that have said [E] leave
            todo, tokens, state, memory = todo[going], tokens[going], state[going], memory[going]
    return [np.stack(row) for row in written]
