"""How scenes accompany decoding, which itself knows only images and rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class SceneContext:
    """The scenes of a batch of B crops, in NumPy or in torch. Several crops may share a scene.

    Attributes:
        tokens: (N, M, D_s) float32, pooled tokens of N scenes from the scene encoder; N at least 1.
        index: (B,) int64, the row of `tokens` that belongs to each crop; any valid row where there is no scene.
        present: (B,) float32, 1 where there is a scene, 0 for the null scene: it multiplies the gate.
        boxes: (B, 4) float32, where each crop lies in its scene: centre x, centre y, width, height as shares of the
            scene's sides; None where that is not known or not used.
    """

    tokens: Any
    index: Any
    present: Any
    boxes: Any = None

    def __getitem__(self, rows: Any) -> "SceneContext":
        """The context of some of the crops, in the given order; scenes stay as they are."""
        boxes = None if self.boxes is None else self.boxes[rows]
        return replace(self, index=self.index[rows], present=self.present[rows], boxes=boxes)

    def repeat_interleave(self, count: int) -> "SceneContext":
        """Every crop `count` times, as `Tensor.repeat_interleave` along the batch."""
        return self[np.arange(len(self.index)).repeat(count)]

    @classmethod
    def none(cls, crops: int, tokens: int, width: int) -> "SceneContext":
        """The null scene for all crops, of `tokens` tokens of this width, in NumPy."""
        nowhere = np.zeros((1, tokens, width), np.float32)
        index, present = np.zeros(crops, np.int64), np.zeros(crops, np.float32)
        return cls(nowhere, index, present, np.zeros((crops, 4), np.float32))


@dataclass(frozen=True, eq=False)
class WithContext:
    """Features of a batch (K/V, a memory) and its context: what `image` returns where a later graph needs the context.

    Decoding selects rows of it and hands it on. `features` is an array or tensor with rows first, or another such
    object; `context` a `SceneContext`.
    """

    features: Any
    context: Any

    @classmethod
    def of(cls, features: Any, context: Any) -> Any:
        """Features with their context; alone where there is none."""
        return features if context is None else cls(features, context)

    @staticmethod
    def parts(carried: Any) -> tuple[Any, Any]:
        """The inverse of `of`."""
        return (carried.features, carried.context) if isinstance(carried, WithContext) else (carried, None)

    def __getitem__(self, rows: Any) -> "WithContext":
        return WithContext(self.features[rows], self.context[rows])

    def __len__(self) -> int:
        return len(self.features)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features."""
        shape: tuple[int, ...] = self.features.shape
        return shape
