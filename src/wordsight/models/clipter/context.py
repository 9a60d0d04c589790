"""The recognizer's side of CLIPTER: where it can be conditioned on scenes, and how."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

from wordsight.decoding.context import SceneContext
from wordsight.models.clipter.config import ClipterConfig

BLOCK = "early.block"
"""Another early insertion point: behind one block of an image tower, for recognizers that give its width."""

Conditioning: TypeAlias = Callable[[Tensor], Tensor]
"""Features (B, L, D) to features that have seen their scenes."""


class Contextual(nn.Module):
    """A recognizer that can take scenes. A subclass calls `fuse` at its early and at its late insertion point.

    `widths` says how wide features are there, for those who insert a fusion. A recognizer with two decoders may have a
    fusion of its own for each: its `insertion_points` then has more names.
    """

    insertion_points: tuple[str, ...] = ("early", "late")
    """Names that `fuse` is called with; the part before a dot is the `Place`."""

    clipter: ClipterConfig | None = None
    """What was inserted."""

    def __init__(self) -> None:
        super().__init__()
        self.fusions = nn.ModuleDict()  # insertion point to fusion, empty until one is inserted; names with "_" for "."

    @property
    def widths(self) -> dict[str, int]:
        """Width of the features at each of `insertion_points`; and at `BLOCK`, where that is one, too."""
        raise NotImplementedError

    def fuse(self, point: str, features: Tensor, context: SceneContext | None) -> Tensor:
        """Features (B, L, D) after they have seen the scene; as they were without a fusion here or without context."""
        name = point.replace(".", "_")
        if context is None or name not in self.fusions:
            return features
        out: Tensor = self.fusions[name](features, context)
        return out

    def conditioning(self, point: str, context: SceneContext | None) -> Conditioning | None:
        """`fuse` at an insertion point, for parts that know of no scenes; None where nothing would change."""
        if context is None or point.replace(".", "_") not in self.fusions:
            return None
        return lambda features: self.fuse(point, features, context)

    def inside(self, context: SceneContext | None) -> tuple[int, Conditioning] | None:
        """The block of the image tower after which features are conditioned on their scenes, and how; None: nowhere."""
        condition = self.conditioning(BLOCK, context)
        return None if condition is None or self.clipter is None else (self.clipter.early_block or 0, condition)
