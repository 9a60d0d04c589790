"""What decoding needs of an engine, and of a recognizer that predicts and refines (PARSeq, CLIP4STR)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from wordsight.decoding.arrays import KV, Array, Floats, Ids, Numbers
from wordsight.decoding.context import AnyContext, WithContext
from wordsight.text import Captions, CharTokenizer


class Seen(NamedTuple):
    """What the image graph computes for B images, once.

    Attributes:
        visual: K/V of the visual decoder.
        cross: the image's K/V of the cross-modal decoder; None without one.
        columns: (B, W) the likeliest class of each column of the image, [E] for none: the first draft, of recognizers
            with a CTC head. It changes only the number of passes, not the reading.
    """

    visual: KV
    cross: KV | None = None
    columns: Ids | None = None


@dataclass(frozen=True)
class Spec:
    """What decoding has to know of a recognizer apart from its graphs.

    Attributes:
        tokenizer: of its decoders.
        max_length: characters that it writes at most.
        captions: how predictions become input of its text tower; None without a cross-modal branch.
        cross_steps: positions that the cross-modal branch predicts before refinement. "own": up to its own [E].
            "visual": at most as many as the visual branch of the same row, as the released CLIP4STR with one image. A
            number: at most so many, as the released one in a batch whose longest word took so many.
    """

    tokenizer: CharTokenizer
    max_length: int
    captions: Captions | None = None
    cross_steps: Literal["own", "visual"] | int = "own"


class Engine(Protocol):
    """What runs graphs: ONNX Runtime or torch. Arrays are of its own kind and stay on its device."""

    @property
    def graphs(self) -> Collection[str]:
        """Names of the graphs that it can run."""
        ...

    def run(self, name: str, *inputs: Array, context: AnyContext = None) -> tuple[Array, ...]:
        """The outputs of graph `name`. `context`, the scenes of the rows, is ignored by graphs that take none."""
        ...

    def numpy(self, array: Array) -> Numbers:
        """An array as one of NumPy's."""
        ...

    def join(self, image: KV, captions: Sequence[KV], of_row: Ids, lengths: Ids) -> KV:
        """Image and caption as one memory, see `join_arrays`."""
        ...


def computed(engine: Engine, name: str, *inputs: Array, context: AnyContext = None) -> Numbers:
    """The first output of graph `name`, in NumPy."""
    return engine.numpy(engine.run(name, *inputs, context=context)[0])


@dataclass(eq=False)
class PsmGraphs:
    """The graphs of a recognizer that was trained by permuted sequence modelling, run by an engine.

    B rows, T tokens [B] c1 c2 ..., L memory tokens, logits (B, T, C + 1); row i of `mask` (B, T, T, additive) says
    which tokens the query of output position i sees. No row may influence another.

    Attributes:
        engine: Runs the graphs.
        context: The scenes of the images, of the engine's own kind.
    """

    engine: Engine
    context: AnyContext = None

    def image(self, images: Floats) -> Seen:
        """Runs `image` on images (B, 3, H, W)."""
        made = self.engine.run("image", images, context=self.context)
        kv = [WithContext.of(array, self.context) for array in made if len(array.shape) == 5]
        columns = next((self.engine.numpy(array) for array in made if len(array.shape) == 2), None)
        return Seen(kv[0], kv[1] if "cross" in self.engine.graphs and len(kv) > 1 else None, columns)

    def text(self, tokens: Ids) -> KV:
        """Caption tokens (B, S) to K/V (B, depth, 2, S, D) of the cross-modal decoder; S is 1 if pooled."""
        return self.engine.run("text", tokens)[0]

    def join(self, image: KV, captions: Sequence[KV], of_row: Ids, lengths: Ids) -> KV:
        """Image and caption as one memory, see `join_arrays`."""
        kv, context = WithContext.parts(image)
        return WithContext.of(self.engine.join(kv, captions, of_row, lengths), context)

    def visual(self, tokens: Ids, kv: KV, mask: Floats) -> Floats:
        """Logits of the visual decoder."""
        return self._decode("visual", tokens, kv, mask)

    def cross(self, tokens: Ids, kv: KV, mask: Floats, memory_mask: Floats) -> Floats:
        """Logits of the cross-modal decoder; `memory_mask` (B, L) is additive."""
        return self._decode("cross", tokens, kv, mask, memory_mask)

    def _decode(self, name: str, tokens: Ids, kv: KV, *masks: Floats) -> Floats:
        kv, context = WithContext.parts(kv)
        return computed(self.engine, name, tokens, kv, *masks, context=context)


def join_arrays(image: KV, captions: Sequence[KV], of_row: Ids, lengths: Ids) -> Floats:
    """K/V of image and caption in one, in NumPy.

    Args:
        image: (B, depth, 2, L, D).
        captions: K/V (depth, 2, S, D) of each distinct caption.
        of_row: (B,) the number of each row's caption.
        lengths: (B,) how many tokens each row gets in all.

    Returns:
        (B, depth, 2, longest, D), zeros at the end of the shorter ones.
    """
    rows, depth, two, tokens, width = image.shape
    out = np.zeros((rows, depth, two, int(lengths.max()), width), np.asarray(image).dtype)
    out[:, :, :, :tokens] = image
    for row, number, length in zip(out, of_row, lengths, strict=True):
        row[:, :, tokens:length] = captions[number]
    return out
