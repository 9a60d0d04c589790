"""Iterative correction of a prediction by a language model (ABINet, arXiv 2103.06495, section 3.3)."""

from collections.abc import Mapping, Sequence

import numpy as np

from wordsight.decoding.arrays import Floats, Ids
from wordsight.decoding.context import AnyContext
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.kind import Kind, Settings
from wordsight.decoding.readings import Reading, reading, text_length
from wordsight.decoding.signature import Graph, Shape

CORRECTIONS = 3
"""Iterations, in training and testing (section 3.3)."""


def decode(
    engine: Engine, images: Floats, spec: Spec, corrections: int = CORRECTIONS, context: AnyContext = None
) -> list[Floats]:
    """Logits (length + 1, C + 1) of every row of images (B, 3, H, W): its characters and [E].

    It is corrected `corrections` times at most; 0 leaves the vision model's prediction. No row depends on the others.

    A row that a correction leaves unchanged is not corrected again (ours: the language model's input is probabilities,
    so a further iteration might still change it; the paper always makes all of them).
    """
    if not len(images):
        return []
    seen, features = engine.run("image", images, context=context)
    logits: Floats = engine.numpy(seen)
    final = logits.copy()
    todo = np.arange(len(images))
    for left in range(corrections, 0, -1):
        (corrected,) = engine.run("correct", logits, features, context=context)
        before, logits = logits, engine.numpy(corrected)
        final[todo] = logits
        changed = np.flatnonzero((_spelled(logits, spec) != _spelled(before, spec)).any(axis=1))
        if left == 1 or not len(changed):
            break
        if len(changed) < len(todo):
            todo, logits, features = todo[changed], logits[changed], features[changed]
            context = None if context is None else context[changed]
    lengths = text_length(final.argmax(axis=2), spec.tokenizer.eos)
    return [row[: length + 1] for row, length in zip(final, lengths, strict=True)]


def _spelled(logits: Floats, spec: Spec) -> Ids:
    """Likeliest ids (B, P), nothing but [E] from the first [E] on."""
    ids: Ids = logits.argmax(axis=2)
    lengths = text_length(ids, spec.tokenizer.eos)
    return np.where(np.arange(ids.shape[1]) < lengths[:, None], ids, spec.tokenizer.eos)


class Iterative(Kind):
    """Two graphs. `image`: an image to the vision model's logits (B, P, C + 1), P = max_length + 1, and features.
    `correct`: logits and features to the logits of the fusion.
    """

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
    ) -> list[Reading]:
        """See `Kind`."""
        count = CORRECTIONS if settings.refine_iters is None else settings.refine_iters
        found = decode(engine, images, spec, count, context)
        return [reading(x, spec.tokenizer, temperature=settings.temperature) for x in found]


ITERATIVE = Iterative()
