"""Who teaches a CLIP4STR while it trains."""

from dataclasses import dataclass

from wordsight.models.parseq.model import Parseq


@dataclass(frozen=True)
class Teacher:
    """A trained recognizer to distil from, besides learning the labels (arXiv 1503.02531).

    Attributes:
        model: a CLIP4STR, frozen, in eval mode, of the same charset and input.
        share: of the loss that comes from it; the rest comes from the labels.
        temperature: by which both sides' logits are divided before they are compared.
    """

    model: Parseq
    share: float
    temperature: float
