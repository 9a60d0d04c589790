"""The scene encoder that goes with a checkpoint."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wordsight.errors import ConfigError
from wordsight.models.clipter.scene import SceneEncoder


def scene_encoder(model: Any, about: Mapping[str, Any], name: str | None = None) -> SceneEncoder | None:
    """The encoder that a recognizer is told of scenes by; None where it reads without.

    Args:
        model: A recognizer of the registry.
        about: What its checkpoint says of itself. If it names the encoder of its training, this has to be the same.
        name: Where the encoder is now, as `load_encoder` takes it; None: where its configuration says.

    Raises:
        ConfigError: the model reads without scenes, or was trained with another encoder.
        ModelError: the encoder cannot be loaded.
    """
    if model.clipter is None:
        if name is not None:
            raise ConfigError("this checkpoint reads without scenes: leave --scene-encoder out")
        return None
    found = SceneEncoder.of(model.clipter if name is None else replace(model.clipter, encoder=name))
    trained = (about.get("scenes") or {}).get("encoder", found.identity)
    if _weights(trained) != _weights(found.identity):
        raise ConfigError(f"trained with the scene encoder {trained!r}, not {found.identity!r}: say --scene-encoder")
    return found


def _weights(identity: str) -> str:
    """What it says of weights, resolution and pooling: the name before may be that of a folder."""
    return identity.partition(":")[2]
