"""Greedy decoding of recurrent recognizers (TRBA): one character a step, given the one before."""

from collections.abc import Mapping, Sequence

import numpy as np

from wordsight.decoding.arrays import Floats
from wordsight.decoding.context import AnyContext
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.kind import Kind, Settings
from wordsight.decoding.readings import Reading, reading
from wordsight.decoding.signature import Graph, Shape


def decode(engine: Engine, images: Floats, spec: Spec, context: AnyContext = None) -> list[Floats]:
    """Logits (length + 1, C + 1) of every row of images (B, 3, H, W): its characters and [E].

    The reading of a row does not depend on the other rows.
    """
    written: list[list[Floats]] = [[] for _ in images]
    todo = np.arange(len(images))
    if not len(todo):
        return []
    memory, state = engine.run("image", images, context=context)
    tokens = np.full(len(todo), spec.tokenizer.bos)
    for _ in range(spec.max_length + 1):
        step, state = engine.run("step", tokens, state, memory, context=context)
        logits = engine.numpy(step)
        for row, x in zip(todo, logits, strict=True):
            written[row].append(x)
        tokens = logits.argmax(axis=1)
        going = np.flatnonzero(tokens != spec.tokenizer.eos)
        if not len(going):
            break
        if len(going) < len(todo):  # rows that have predicted [E] leave
            todo, tokens, state, memory = todo[going], tokens[going], state[going], memory[going]
            context = None if context is None else context[going]
    return [np.stack(row) for row in written]


class Autoregressive(Kind):
    """Two graphs. `image`: an image to the memory that every step reads, and the initial state. `step`: the characters
    before, [B] at first, to the logits of the next ones, and the next state.
    """

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
    ) -> list[Reading]:
        """See `Kind`."""
        found = decode(engine, images, spec, context)
        return [reading(x, spec.tokenizer, temperature=settings.temperature) for x in found]


AUTOREGRESSIVE = Autoregressive()
