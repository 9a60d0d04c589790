"""Photographs as scene context for the words in them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import ConfigError
from wordsight.reading.parts import Recognizer, SceneConditioned
from wordsight.reading.scenes import EncodedScene
from wordsight.reading.strips import Strip


class SceneContexts:
    """What a recognizer is given of photographs, if it is conditioned on scenes."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = cast(SceneConditioned, recognizer)

    @property
    def taken(self) -> bool:
        """Whether the recognizer takes scenes."""
        return getattr(self._recognizer, "scene_encoder", None) is not None

    def check(self, context: bool | EncodedScene) -> None:
        """Refuses a context that the recognizer does not take.

        Raises:
            ConfigError: it reads without scenes, or the scene was encoded for another.
        """
        if context is False:
            return
        if not self.taken:
            raise ConfigError("this model takes no scenes: leave them out, or use a model with CLIPTER")
        if isinstance(context, EncodedScene) and context.encoder != self._recognizer.scene_encoder:
            raise ConfigError("this scene was encoded for another model: encode it with this reader's scene()")

    def encode(self, image: NDArray[np.uint8]) -> EncodedScene:
        """The scene of a photo, uint8 RGB (H, W, 3)."""
        tokens = self._recognizer.encode_scenes([image])[0]
        tokens.setflags(write=False)
        height, width = image.shape[:2]
        return EncodedScene(tokens, (width, height), str(self._recognizer.scene_encoder))

    def added(self, strips: Sequence[Strip], image: NDArray[np.uint8], context: bool | EncodedScene) -> list[Strip]:
        """Strips of a photo with their context. The photo is encoded once, and only if there is anything to read."""
        if not strips or context is False:
            return list(strips)
        scene = context if isinstance(context, EncodedScene) else self.encode(image)
        return [replace(strip, scene=scene) for strip in strips]
