"""Photographs as context: encoded once, given to the recognizer with every crop that was cut from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordsight.decoding.context import SceneContext
from wordsight.imaging.geometry import WHOLE, Box, box_in


@dataclass(frozen=True, eq=False)
class EncodedScene:
    """A photograph as encoded by a recognizer's scene encoder. Immutable; any number of threads may share it.

    Attributes:
        tokens: (M, D) float32, not writeable.
        size: width and height of the photograph, in pixels.
        encoder: identity of the encoder that made the tokens. Readers with the same encoder can share a scene.
        box: the position of the crop that is read with it, see `at`. It matters to models that use positions.
    """

    tokens: NDArray[np.float32]
    size: tuple[int, int]
    encoder: str
    box: Box | None = None

    def at(self, polygon: NDArray[np.float64]) -> "EncodedScene":
        """The scene of a crop that was cut along a polygon (N, 2), in pixels of the upright photograph."""
        return replace(self, box=box_in(polygon, *self.size))

    def somewhere(self) -> "EncodedScene":
        """The scene of a crop whose position is not known: it is taken to cover the whole photograph."""
        return self if self.box else replace(self, box=WHOLE)


def of_crops(scenes: Sequence[EncodedScene | None]) -> SceneContext | None:
    """The context of a batch of crops, each scene once; None if no crop has one."""
    distinct = {id(scene.tokens): scene for scene in scenes if scene is not None}
    if not distinct:
        return None
    numbers = {key: number for number, key in enumerate(distinct)}
    return SceneContext(
        np.stack([scene.tokens for scene in distinct.values()]),
        np.array([0 if scene is None else numbers[id(scene.tokens)] for scene in scenes], np.int64),
        np.array([scene is not None for scene in scenes], np.float32),
        np.array([WHOLE if scene is None else scene.box or WHOLE for scene in scenes], np.float32),
    )
