"""How scenes accompany decoding, which itself knows only images and rows."""

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from wordsight.decoding.arrays import Array, Numbers

A = TypeVar("A", bound=Array, covariant=True)


@dataclass(frozen=True, eq=False)
class SceneArrays(Generic[A]):
    """The scenes of a batch of B crops, in NumPy (`SceneContext`) or in torch. Several crops may share a scene.

    Attributes:
        tokens: (N, M, D_s) float32, pooled tokens of N scenes from the scene encoder; N at least 1.
        index: (B,) int64, the row of `tokens` that belongs to each crop; any valid row where there is no scene.
        present: (B,) float32, 1 where there is a scene, 0 for the null scene: it multiplies the gate.
        boxes: (B, 4) float32, where each crop lies in its scene: centre x, centre y, width, height as shares of the
            scene's sides; None where that is not known or not used.
    """

    tokens: A
    index: A
    present: A
    boxes: A | None = None

    def __getitem__(self, rows: Array) -> "SceneArrays[A]":
        """The context of some of the crops, in the given order; scenes stay as they are."""
        boxes = None if self.boxes is None else self.boxes[rows]
        return replace(self, index=self.index[rows], present=self.present[rows], boxes=boxes)

    def repeat_interleave(self, count: int) -> "SceneArrays[A]":
        """Every crop `count` times, as `Tensor.repeat_interleave` along the batch."""
        return self[np.arange(len(self.index)).repeat(count)]

    @staticmethod
    def none(crops: int, tokens: int, width: int) -> "SceneContext":
        """The null scene for all crops, of `tokens` tokens of this width, in NumPy."""
        nowhere = np.zeros((1, tokens, width), np.float32)
        index, present = np.zeros(crops, np.int64), np.zeros(crops, np.float32)
        return SceneContext(nowhere, index, present, np.zeros((crops, 4), np.float32))


SceneContext: TypeAlias = SceneArrays[Numbers]
AnyContext: TypeAlias = SceneArrays[Array] | None


@dataclass(frozen=True, eq=False)
class WithContext:
    """Features of a batch (K/V, a memory) and its context: what `image` returns where a later graph needs the context.

    Decoding selects rows of it and hands it on, as if it were the features alone.
    """

    features: Array
    context: SceneArrays[Array]

    @classmethod
    def of(cls, features: Array, context: AnyContext) -> Array:
        """Features with their context; alone where there is none."""
        return features if context is None else cls(features, context)

    @staticmethod
    def parts(carried: Array) -> tuple[Array, AnyContext]:
        """The inverse of `of`."""
        return (carried.features, carried.context) if isinstance(carried, WithContext) else (carried, None)

    def __getitem__(self, rows: Any) -> "WithContext":
        return WithContext(self.features[rows], self.context[rows])

    def __len__(self) -> int:
        return len(self.features)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features."""
        return self.features.shape
