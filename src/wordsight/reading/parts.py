"""The parts of a reader, as protocols: any object with these methods will do."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.decoding import Reading
from wordsight.decoding.context import SceneContext
from wordsight.imaging import Preprocessing


class Recognizer(Protocol):
    """What a reader needs of a recognizer. `read` may be called by several threads at once."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops are turned into its input."""

    @property
    def provider(self) -> str:
        """The execution provider or device it runs on."""

    def read(self, images: NDArray[np.float32]) -> list[Reading]:
        """Reads prepared crops (B, 3, H, W)."""


class SceneConditioned(Recognizer, Protocol):
    """A recognizer that is conditioned on scenes."""

    @property
    def scene_encoder(self) -> str | None:
        """Identity of the scene encoder; None: it takes no scenes."""

    def encode_scenes(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Tokens (N, M, D) of photos, uint8 RGB (h, w, 3)."""

    def read(self, images: NDArray[np.float32], scenes: SceneContext | None = None) -> list[Reading]:
        """Reads prepared crops, conditioned on their scenes."""
