"""Photographs as scene context for the words in them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import ConfigError
from wordsight.reading.parts import Recognizer, ToldRecognizer
from wordsight.reading.scenes import Scene
from wordsight.reading.strips import Strip


class SceneTeller:
    """Makes scenes for a recognizer, if it takes any."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    @property
    def known(self) -> bool:
        """Whether the recognizer can be told what photo a crop comes from."""
        return getattr(self._recognizer, "scene_encoder", None) is not None

    def check(self, context: bool | Scene) -> None:
        """Refuse a context that the recognizer cannot be told.

        Raises:
            ConfigError: it reads without scenes, or the scene was encoded for another.
        """
        if context is False:
            return
        if not self.known:
            raise ConfigError("this model takes no scenes: leave them out, or use a model with CLIPTER")
        if isinstance(context, Scene) and context.encoder != cast(ToldRecognizer, self._recognizer).scene_encoder:
            raise ConfigError("this scene was encoded for another model: encode it with this reader's scene()")

    def encode(self, image: NDArray[np.uint8]) -> Scene:
        """The scene of a photo, uint8 RGB (H, W, 3)."""
        recognizer = cast(ToldRecognizer, self._recognizer)
        tokens = recognizer.encode_scenes([image])[0]
        tokens.setflags(write=False)
        height, width = image.shape[:2]
        return Scene(tokens, (width, height), str(recognizer.scene_encoder))

    def told(self, strips: Sequence[Strip], image: NDArray[np.uint8], context: bool | Scene) -> list[Strip]:
        """Strips of a photo with their context. The photo is encoded once, and only if there is anything to read."""
        if not strips or context is False:
            return list(strips)
        scene = context if isinstance(context, Scene) else self.encode(image)
        return [replace(strip, scene=scene) for strip in strips]
