"""Iterative correction of a prediction by a language model (ABINet, arXiv 2103.06495, section 3.3)."""

from collections.abc import Mapping, Sequence

import numpy as np

from wordsight.decoding.arrays import Floats, Ids, Rows
from wordsight.decoding.context import AnyContext, WithContext
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.kind import Kind, Settings
from wordsight.decoding.readings import Reading, reading, text_length
from wordsight.decoding.signature import Graph, Shape

CORRECTIONS = 3
"""Iterations, in training and testing (section 3.3)."""


class IterativeGraphs:
    """The parts of a recognizer over an engine. B rows, P = max_length + 1 positions; no row may influence another."""

    def __init__(self, engine: Engine, context: AnyContext = None) -> None:
        self.engine = engine
        self.context = context

    def image(self, images: Floats) -> tuple[Floats, Rows]:
        """(B, 3, H, W) to logits (B, P, C + 1) of what is seen, and the features that corrections need."""
        logits, features = self.engine.run("image", images, context=self.context)
        return self.engine.numpy(logits), WithContext.of(features, self.context)

    def correct(self, logits: Floats, features: Rows) -> Floats:
        """Logits of a reading (B, P, C + 1) to those of its correction: language model and fusion with the features."""
        plain, context = WithContext.parts(features)
        (corrected,) = self.engine.run("correct", logits, plain, context=context)
        return self.engine.numpy(corrected)


def decode(graphs: IterativeGraphs, images: Floats, spec: Spec, corrections: int = CORRECTIONS) -> list[Floats]:
    """Logits (length + 1, C + 1) of every row of images (B, 3, H, W): its characters and [E].

    It is corrected `corrections` times at most; 0 leaves the vision model's prediction. No row depends on the others.

    A row that a correction leaves unchanged is not corrected again (ours: the language model's input is probabilities,
    so a further iteration might still change it; the paper always makes all of them).
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


class Iterative(Kind):
    """Two graphs: `image` predicts, `correct` corrects a prediction."""

    name = "iterative"
    refinements = CORRECTIONS
    made = "features"

    def signature(
        self, images: Shape, classes: int, positions: int, made: Mapping[str, Sequence[Shape]]
    ) -> dict[str, Graph]:
        """See `Kind`."""
        _, features = made["image"]
        logits: Shape = ("batch", positions, classes)
        seen: dict[str, Shape] = {"logits": logits, "features": ("batch", *features[1:])}
        return {
            "image": Graph("image.onnx", {"image": images}, seen),
            "correct": Graph("correct.onnx", seen, {"corrected": logits}),
        }

    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: AnyContext = None
    ) -> tuple[list[Reading], None]:
        """See `Kind`."""
        count = CORRECTIONS if settings.refine_iters is None else settings.refine_iters
        found = decode(IterativeGraphs(engine, context), images, spec, count)
        return [reading(x, spec.tokenizer, temperature=settings.temperature) for x in found], None


ITERATIVE = Iterative()
