"""What a recognizer's training objective gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Losses:
    """`total`, a scalar, is what is minimised; `parts` (scalars without gradient, by name) are for the log."""

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)
