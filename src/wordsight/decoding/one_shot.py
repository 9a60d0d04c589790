"""Decoding all characters at once, each independently (ViTSTR)."""

from collections.abc import Mapping, Sequence

from wordsight.decoding.arrays import Floats
from wordsight.decoding.context import AnyContext
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.kind import Kind, Settings
from wordsight.decoding.readings import Reading, reading
from wordsight.decoding.signature import Graph, Shape


class OneShot(Kind):
    """One graph, `image`: (B, 3, H, W) to the logits (B, P, C + 1) of P = max_length + 1 positions.

    The reading is the likeliest class of every position up to the first [E].
    """

    name = "one_shot"
    made = "logits of shape (batch, positions, classes)"

    def signature(
        self, images: Shape, classes: int, positions: int, made: Mapping[str, Sequence[Shape]]
    ) -> dict[str, Graph]:
        """See `Kind`."""
        return {"image": Graph("image.onnx", {"image": images}, {"logits": ("batch", positions, classes)})}

    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: AnyContext = None
    ) -> list[Reading]:
        """See `Kind`."""
        if not len(images):
            return []
        (logits,) = engine.run("image", images, context=context)
        return [reading(x, spec.tokenizer, temperature=settings.temperature) for x in engine.numpy(logits)]


ONE_SHOT = OneShot()
