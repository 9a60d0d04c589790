"""The recognizer's side of CLIPTER: where it can be conditioned on scenes, and how."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from torch import Tensor, nn

from wordsight.decoding.context import SceneArrays
from wordsight.models.clipter.config import ClipterConfig
from wordsight.models.config import Config
from wordsight.models.model import Model

SceneContext: TypeAlias = SceneArrays[Tensor]
"""The scenes of a batch of crops, in torch."""

BLOCK = "early_block"
"""Another early insertion point: after a block of the image tower, for recognizers that give its width."""

Conditioning: TypeAlias = Callable[[Tensor], Tensor]
"""Features (B, L, D) to features that are conditioned on their scenes."""


class Contextual(Model):
    """A recognizer that can be conditioned on scenes: a subclass calls `fuse` at its early and late insertion points.

    A recognizer with two decoders may have a late insertion point for each.
    """

    widths: Mapping[str, int] = MappingProxyType({})
    """Insertion point, whose name begins with its `Place`, to the width of features there; see also `BLOCK`."""

    clipter: ClipterConfig | None = None
    """What was inserted; None: nothing."""

    def __init__(self, cfg: Config) -> None:
        super().__init__(cfg)
        self.fusions = nn.ModuleDict()  # insertion point to fusion, empty until one is inserted

    def fuse(self, point: str, features: Tensor, context: SceneContext | None) -> Tensor:
        """Features (B, L, D) conditioned on their scenes; unchanged without a fusion here, or without context."""
        if context is None or point not in self.fusions:
            return features
        return self.fusions[point](features, context)

    def conditioning(self, point: str, context: SceneContext | None) -> Conditioning | None:
        """`fuse` at an insertion point, for parts that know nothing of scenes; None if it would change nothing."""
        if context is None or point not in self.fusions:
            return None
        return lambda features: self.fuse(point, features, context)

    def inside(self, context: SceneContext | None) -> tuple[int, Conditioning] | None:
        """The block of the image tower after which features are conditioned on their scenes, and how; None: none."""
        condition = self.conditioning(BLOCK, context)
        return None if condition is None or self.clipter is None else (self.clipter.early_block or 0, condition)
