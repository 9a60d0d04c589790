"""What decoding asks of an engine, and of a recognizer that reads by predicting, checking and refining."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from wordsight.decoding.arrays import KV, Floats, Ids
from wordsight.decoding.context import WithContext
from wordsight.text import Captions, CharTokenizer


class Seen(NamedTuple):
    """What a look at B images leaves to decode from.

    Attributes:
        visual: K/V of the visual decoder.
        cross: the image's K/V of the cross-modal decoder; None without one.
        columns: (B, W) the class that each column of the image most likely shows, [E] for none: the first draft, where
            a recognizer has learned it (its CTC head). What is read does not depend on it, only in how many passes.
    """

    visual: KV
    cross: KV | None = None
    columns: Ids | None = None


@dataclass(frozen=True)
class Spec:
    """What decoding has to know of a recognizer apart from its graphs.

    Attributes:
        tokenizer: of its decoders.
        max_length: characters that it was trained to write at most.
        captions: what its text tower is told; None where there is no cross-modal branch.
        cross_steps: positions that the cross-modal branch writes before it is refined. "own": up to its own [E].
            "visual": at most as many as the visual branch of the same row, as the released CLIP4STR does with one
            image. A number: at most so many, as it does in a batch whose longest word took so many.
    """

    tokenizer: CharTokenizer
    max_length: int
    captions: Captions | None = None
    cross_steps: Literal["own", "visual"] | int = "own"


class Engine(Protocol):
    """What runs graphs: ONNX Runtime or torch. Arrays are of its own kind and stay on its device."""

    @property
    def graphs(self) -> Collection[str]:
        """Names of those that it can run."""
        ...

    def run(self, name: str, *inputs: Any, context: Any = None) -> tuple[Any, ...]:
        """The outputs of graph `name`. `context`, the scenes of the rows, is ignored by graphs that take none."""
        ...

    def numpy(self, array: Any) -> npt.NDArray[Any]:
        """An array in NumPy."""
        ...

    def join(self, image: KV, captions: Sequence[KV], of_row: Ids, lengths: Ids) -> KV:
        """Image and caption as one memory, see `join_arrays`."""
        ...


class PsmGraphs:
    """The parts of a recognizer that was trained by permuted sequence modelling, over an engine.

    B rows, T tokens [B] c1 c2 ..., L memory tokens, logits (B, T, C + 1); row i of `mask` (B, T, T, additive) says
    which tokens the query of output position i sees. No row may influence another.

    Args:
        engine: Runs the graphs.
        context: The scenes of the images, of the engine's own kind.
    """

    def __init__(self, engine: Engine, context: Any = None) -> None:
        self.engine = engine
        self.context = context

    def image(self, images: Floats) -> Seen:
        """A look at images (B, 3, H, W)."""
        made = self.engine.run("image", images, context=self.context)
        kv = [WithContext.of(array, self.context) for array in made if array.ndim == 5]
        columns = next((self.engine.numpy(array) for array in made if array.ndim == 2), None)
        return Seen(kv[0], kv[1] if "cross" in self.engine.graphs and len(kv) > 1 else None, columns)

    def text(self, tokens: Ids) -> KV:
        """Caption tokens (B, S) to K/V (B, depth, 2, S, D) of the cross-modal decoder; of one token if pooled."""
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
        return self.engine.numpy(self.engine.run(name, tokens, kv, *masks, context=context)[0])


def join_arrays(image: Floats, captions: Sequence[Floats], of_row: Ids, lengths: Ids) -> Floats:
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
    out = np.zeros((rows, depth, two, int(lengths.max()), width), image.dtype)
    out[:, :, :, :tokens] = image
    for row, number, length in zip(out, of_row, lengths, strict=True):
        row[:, :, tokens:length] = captions[number]
    return out
