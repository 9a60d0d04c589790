"""Greedy decoding of recurrent recognizers (TRBA): one character a step, given the one before."""

from collections.abc import Mapping, Sequence

import numpy as np

from wordsight.decoding.arrays import Floats, Ids, Rows
from wordsight.decoding.context import AnyContext, WithContext
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.kind import Kind, Settings
from wordsight.decoding.readings import Reading, reading
from wordsight.decoding.signature import Graph, Shape


class AutoregressiveGraphs:
    """The parts of a recognizer over an engine. B rows; no row may influence another."""

    def __init__(self, engine: Engine, context: AnyContext = None) -> None:
        self.engine = engine
        self.context = context

    def image(self, images: Floats) -> tuple[Rows, Rows]:
        """(B, 3, H, W) to what every step reads (features and their projection, computed once) and the first state."""
        memory, state = self.engine.run("image", images, context=self.context)
        return WithContext.of(memory, self.context), state

    def step(self, tokens: Ids, state: Rows, memory: Rows) -> tuple[Floats, Rows]:
        """Ids (B,) of the characters before, [B] at first, to logits (B, C + 1) of the next ones and the next state."""
        features, context = WithContext.parts(memory)
        logits, state = self.engine.run("step", tokens, state, features, context=context)
        return self.engine.numpy(logits), state


def decode(graphs: AutoregressiveGraphs, images: Floats, spec: Spec) -> list[Floats]:
    """Logits (length + 1, C + 1) of every row of images (B, 3, H, W): its characters and [E].

    The reading of a row does not depend on the other rows.
    """
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


class Autoregressive(Kind):
    """Two graphs: `image` gives a memory and the first state, `step` a character and the next state."""

    name = "autoregressive"
    made = "memory and state"

    def signature(
        self, images: Shape, classes: int, positions: int, made: Mapping[str, Sequence[Shape]]
    ) -> dict[str, Graph]:
        """See `Kind`."""
        memory, state = (("batch", *shape[1:]) for shape in made["image"])
        step: dict[str, Shape] = {"tokens": ("batch",), "state": state, "memory": memory}
        return {
            "image": Graph("image.onnx", {"image": images}, {"memory": memory, "state": state}),
            "step": Graph("step.onnx", step, {"logits": ("batch", classes), "next_state": state}),
        }

    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: AnyContext = None
    ) -> tuple[list[Reading], None]:
        """See `Kind`."""
        found = decode(AutoregressiveGraphs(engine, context), images, spec)
        return [reading(x, spec.tokenizer, temperature=settings.temperature) for x in found], None


AUTOREGRESSIVE = Autoregressive()
