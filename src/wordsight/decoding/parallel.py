"""Reading all characters at once, each for itself (ViTSTR)."""

from typing import Protocol

from wordsight.decoding.graphs import Floats, Spec
from wordsight.decoding.readings import Reading, reading


class ParallelGraphs(Protocol):
    """The one part of a recognizer. No row may influence another."""

    def image(self, images: Floats) -> Floats:
        """(B, 3, H, W) to the logits (B, P, C + 1) of P = max_length + 1 positions."""
        ...


def read_parallel(
    graphs: ParallelGraphs, images: Floats, spec: Spec, *, temperature: float = 1.0, alternatives: int = 3
) -> list[Reading]:
    """Reads images (B, 3, H, W): the likeliest class of every position up to the first [E].

    Args:
        graphs: The recognizer's part.
        images: Prepared crops.
        spec: The rest of the recognizer.
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other characters to report per position.
    """
    if not len(images):
        return []
    ids = spec.tokenizer
    return [reading(x, ids, temperature=temperature, alternatives=alternatives) for x in graphs.image(images)]
