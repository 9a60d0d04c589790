"""Checkpoints with the scene encoders that go with them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wordsight.decoding import Mode
from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip
from wordsight.models.clipter.scene import SceneEncoder, untrained
from wordsight.models.reading import TorchRecognizer
from wordsight.models.recognizer import Recognizer
from wordsight.models.reranking import RerankingRecognizer


def scene_encoder(
    model: Recognizer, about: Mapping[str, Any], name: str | None = None, *, download: bool = False
) -> SceneEncoder | None:
    """The scene encoder of a recognizer; None if it reads without scenes.

    Args:
        model: A recognizer of the registry.
        about: What its checkpoint says of itself. If it names the encoder of its training, this has to be the same.
        name: Where the encoder is now, as `load_encoder` takes it; None: where its configuration says.
        download: Whether an encoder that its configuration names may be fetched.

    Raises:
        ConfigError: the model reads without scenes, or was trained with another encoder.
        ModelError: the encoder cannot be loaded.
    """
    if model.clipter is None:
        if name is not None:
            raise ConfigError("this checkpoint takes no scenes: leave out --scene-encoder")
        return None
    wanted = model.clipter if name is None else replace(model.clipter, encoder=name)
    found = SceneEncoder.of(wanted, download=download or name is not None)
    trained = (about.get("scenes") or {}).get("encoder", found.identity)
    if _weights(trained) != _weights(found.identity):
        raise ConfigError(f"trained with the scene encoder {trained!r}, not {found.identity!r}: set --scene-encoder")
    return found


def encoder_facts(model: Recognizer, name: str | None = None) -> dict[str, str]:
    """What a pack says of the scene encoder in it: its name, and its licence where it is known.

    Ours are those that were never trained, and checkpoint folders that nothing foreign was converted to.
    """
    name = name or (model.clipter.encoder if model.clipter else "")
    folder = Path(name)
    if not folder.is_dir():
        ours = name.split(":")[0] in ("random", "constant")
        return {"name": name, "licence": "Apache-2.0" if ours else "not stated"}
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("about")
    except (OSError, ValueError, AttributeError):
        about = None
    ours = isinstance(about, dict) and "converted" not in about
    return {"name": folder.resolve().name, "licence": str(about.get("licence", "Apache-2.0")) if ours else "not stated"}


def open_checkpoint(
    folder: Path,
    mode: Mode,
    threads: int,
    encoder: str | None = None,
    seed: int | None = None,
    rerank: Path | None = None,
) -> TorchRecognizer:
    """The recognizer of a checkpoint folder, ready for a `Reader`.

    Args:
        folder: Of the checkpoint.
        mode: How it decodes.
        threads: Of torch, for the whole process.
        encoder: See `scene_encoder`.
        seed: Its scene encoder is replaced by one of the same build with random weights, by this seed.
        rerank: Checkpoint folder of a CLIP, which chooses among sampled readings.

    Raises:
        ModelError: it is no checkpoint of a recognizer, `rerank` is none of a CLIP, or its encoder cannot be loaded.
        ConfigError: see `scene_encoder`.
    """
    model, about = checkpoint.load_recognizer(folder)
    torch.set_num_threads(threads)
    scenes = scene_encoder(model, about, encoder)
    if scenes is not None and seed is not None:
        scenes = untrained(scenes, seed)
    cross = bool(about.get("cross", True))
    if rerank is None:
        return TorchRecognizer(model, mode, cross=cross, scenes=scenes)
    clip, _ = checkpoint.load(rerank)
    if not isinstance(clip, Clip):
        raise ModelError(f"{rerank} holds no CLIP: give a folder that `wordsight models convert` wrote")
    return RerankingRecognizer(model, clip, mode, cross=cross, scenes=scenes)


def _weights(identity: str) -> str:
    """What it says of weights, resolution and pooling: the name before may be that of a folder."""
    return identity.partition(":")[2]
