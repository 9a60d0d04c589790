"""The scenes that crops come from, as a recognizer takes them; and the recognizer's side of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from wordsight.models.clipter.config import ClipterConfig

BLOCK = "early.block"
"""Another early place: behind one block of an image tower, for recognizers that give its width."""

Told: TypeAlias = Callable[[Tensor], Tensor]
"""Features (B, L, D) to features that have seen their scenes."""


@dataclass(frozen=True)
class SceneContext:
    """The scenes of a batch of crops. Several crops may share a scene; crops without one have the null scene.

    Attributes:
        tokens: (N, M, D_s), pooled tokens of N scenes from the scene encoder; at least one row.
        index: (B,) int64, the row of `tokens` that belongs to each crop; any valid row where there is no scene.
        present: (B,), 1.0 where there is a scene, 0.0 for the null scene: it multiplies the gate.
        boxes: (B, 4) where each crop lies in its scene: centre x, centre y, width, height as shares of the scene's
            sides; None where that is not known or not used.
    """

    tokens: Tensor
    index: Tensor
    present: Tensor
    boxes: Tensor | None = None

    def __getitem__(self, rows: Tensor) -> "SceneContext":
        """The context of some of the crops, in the given order; scenes stay as they are."""
        boxes = None if self.boxes is None else self.boxes[rows]
        return replace(self, index=self.index[rows], present=self.present[rows], boxes=boxes)

    def repeat_interleave(self, count: int) -> "SceneContext":
        """Every crop `count` times, as `Tensor.repeat_interleave` along the batch."""
        rows = torch.arange(len(self.index), device=self.index.device).repeat_interleave(count)
        return self[rows]

    def to(self, device: torch.device, non_blocking: bool = True) -> "SceneContext":
        """On another device."""
        boxes = None if self.boxes is None else self.boxes.to(device, non_blocking=non_blocking)
        tokens, index, present = (
            x.to(device, non_blocking=non_blocking) for x in (self.tokens, self.index, self.present)
        )
        return SceneContext(tokens, index, present, boxes)


class Contextual(nn.Module):
    """A recognizer that can take scenes. A subclass calls `fuse` at its early and at its late place.

    `widths` says how wide features are there, for those who insert a fusion. A recognizer with two decoders may have a
    fusion of its own for each: its `places` then has more names.
    """

    places: tuple[str, ...] = ("early", "late")
    """Names that `fuse` is called with; the part before a dot is the `Place`."""

    clipter: ClipterConfig | None = None
    """What was inserted."""

    def __init__(self) -> None:
        super().__init__()
        self.fusions = nn.ModuleDict()  # place to fusion, empty until one is inserted; names with "_" for "."

    @property
    def widths(self) -> dict[str, int]:
        """Width of the features at each of `places`; and at `BLOCK`, where the recognizer can be told there."""
        raise NotImplementedError

    def fuse(self, place: str, features: Tensor, context: SceneContext | None) -> Tensor:
        """Features (B, L, D) after they have seen the scene; as they were without a fusion here or without context."""
        name = place.replace(".", "_")
        if context is None or name not in self.fusions:
            return features
        out: Tensor = self.fusions[name](features, context)
        return out

    def told(self, place: str, context: SceneContext | None) -> Told | None:
        """`fuse` at a place, for parts that know of no scenes; None where nothing would change."""
        if context is None or place.replace(".", "_") not in self.fusions:
            return None
        return lambda features: self.fuse(place, features, context)

    def inside(self, context: SceneContext | None) -> tuple[int, Told] | None:
        """The block of the image tower after which features are conditioned on their scenes, and how; None: nowhere."""
        told = self.told(BLOCK, context)
        return None if told is None or self.clipter is None else (self.clipter.early_block or 0, told)
