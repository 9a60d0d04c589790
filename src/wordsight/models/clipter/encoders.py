"""Scene encoders by name: a folder of ours or of `transformers`, a model on the hub, random weights, a constant."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch

from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import Preprocessing
from wordsight.models.clip.config import CLIP_TOWERS, MEAN, STD, ClipConfig
from wordsight.models.clip.image import ImageTower
from wordsight.models.clipter.backbones import ConstantEncoder, Encoder, HubEncoder, TowerEncoder, pair
from wordsight.models.config import ImageTowerConfig
from wordsight.models.peft.files import fingerprint

SMALL = ImageTowerConfig(64, 64, (16, 16), width=128, layers=2, heads=4)
"""The tower behind the plain name `random`: small, for quick tests."""


def load_encoder(name: str, resolution: int | None = None, *, download: bool = True) -> Encoder:
    """The scene encoder called `name`, in eval mode.

    Args:
        name: "constant" or "constant:WIDTH"; "random", "random:SEED" or "random:TOWER:SEED", a tower of
            `CLIP_TOWERS` (a small one without a name) with random weights; a folder with a checkpoint of ours, whose
            image tower is taken; a folder with a vision transformer of `transformers`, or its name on the hub.
        resolution: side of the square that photos are resized to; None: what the encoder was trained for.
        download: whether the hub may be contacted; otherwise only its local cache is used.

    Code that comes with a model is never run.

    Raises:
        ConfigError: the name is malformed, or the resolution does not suit the encoder.
        ModelError: the encoder cannot be loaded.
    """
    if name.partition(":")[0] in ("constant", "random"):
        return _control(name, resolution).eval()
    folder = Path(name)
    if not folder.is_dir():
        if not may_be_on_the_hub(name):
            raise ModelError(f"{name}: there is no such folder: give the scene encoder's folder")
        return _hub(name, resolution, download).eval()
    try:
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"{folder} has no readable config.json: it is not a scene encoder") from None
    if not isinstance(described, dict):
        raise ModelError(f"{folder}/config.json describes no model: it is not a scene encoder")
    ours = {"architecture", "config"} <= described.keys()
    return (_ours(folder, resolution) if ours else _hub(name, resolution, download)).eval()


def may_be_on_the_hub(name: str) -> bool:
    """Whether a name that is no folder may be one on the hub: NAME or OWNER/NAME, and not a mistyped local path."""
    parts = name.split("/")
    plain = len(parts) <= 2 and all(re.fullmatch(r"\w[\w.-]*", part) for part in parts)
    return plain and not (len(parts) == 2 and Path(parts[0]).is_dir())


def absolute(name: str) -> str:
    """A folder by its absolute path, so that it is found from anywhere; other names as they are."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def _control(name: str, resolution: int | None) -> Encoder:
    found = re.fullmatch(r"constant(?::([1-9]\d{0,4}))?|random(?::([A-Z][\w-]*))?(?::(\d{1,18}))?", name)
    width, tower, seed = found.groups() if found else (None, "", None)
    if tower is not None and tower not in CLIP_TOWERS:
        raise ConfigError(
            f"scene encoder {name!r}: give constant:WIDTH (up to five digits), random:SEED or random:TOWER:SEED (up to "
            f"18), with one of the towers {', '.join(CLIP_TOWERS)}"
        )
    if name.startswith("constant"):
        return ConstantEncoder(int(width or 768))
    return random_encoder(CLIP_TOWERS[tower].image if tower else SMALL, int(seed or 0), resolution)


def random_encoder(cfg: ImageTowerConfig, seed: int, resolution: int | None = None) -> Encoder:
    """A tower with random weights, determined by the seed: the control for what pre-training contributes."""
    if resolution is not None:
        cfg = _at(cfg, resolution)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = ImageTower(cfg, cfg.width)
    sizes = hashlib.sha256(repr(cfg).encode()).hexdigest()[:8]
    return TowerEncoder(tower, Preprocessing(cfg.height, cfg.width_px, MEAN, STD), f"random:{sizes}:{seed}")


def _ours(folder: Path, resolution: int | None) -> Encoder:
    from wordsight.models import checkpoint
    from wordsight.models.recognizer import RecognizerConfig

    model, _ = checkpoint.load(folder)
    tower = getattr(model, "image_tower", None)
    if not isinstance(tower, ImageTower) or not isinstance(model.cfg, ClipConfig | RecognizerConfig):
        raise ConfigError(f"{folder} has no plain image tower: give a CLIP or a plain recognizer")
    if resolution is not None:
        tower = tower.resized(_at(tower.cfg, resolution))
    preprocessing = Preprocessing(tower.cfg.height, tower.cfg.width_px, model.cfg.mean, model.cfg.std)
    return TowerEncoder(tower, preprocessing, f"{model.architecture}:{fingerprint(tower.state_dict())[:12]}")


def _at(cfg: ImageTowerConfig, resolution: int) -> ImageTowerConfig:
    """The same tower for square input of another size."""
    if cfg.stem or min(resolution // side for side in cfg.patch) < 1:
        raise ConfigError(f"resolution {resolution} does not fit this encoder: it needs whole patches of {cfg.patch}")
    return replace(cfg, height=resolution, width_px=resolution)


def _hub(name: str, resolution: int | None, download: bool) -> Encoder:
    try:
        from transformers import AutoModel
        from transformers.image_processing_base import ImageProcessingMixin
    except ImportError:
        raise ModelError(f"scene encoder {name!r} needs transformers: pip install transformers") from None
    local = not download and not Path(name).is_dir()  # then only the hub's cache on this machine is looked at
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": False, "weights_only": True}
    try:
        model: Any = AutoModel.from_pretrained(name, local_files_only=local, **options)
    except ImportError as error:  # such as timm
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"scene encoder {name!r} needs another library: {reason}") from None
    except (OSError, ValueError) as error:
        if local:
            raise ModelError(
                f"the scene encoder {name!r}, which a file names, is not on this machine: give its name with "
                "--scene-encoder to download it from the hub, or its folder"
            ) from None
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"there is no scene encoder {name!r}, and the hub did not provide one: {reason}") from None
    except Exception as error:  # damaged weights: safetensors and pickle have classes of their own
        raise ModelError(f"{name}: its weights cannot be read ({type(error).__name__}): download it again") from error
    try:
        processing, _ = ImageProcessingMixin.get_image_processor_dict(name, local_files_only=local)
    except (OSError, ValueError):
        processing = None
    vision = getattr(model, "vision_model", model)
    cfg = vision.config
    if not hasattr(cfg, "patch_size") or not hasattr(cfg, "hidden_size"):
        raise ConfigError(f"a {cfg.model_type} is no vision transformer: give CLIP, SigLIP, DINOv2 or the like")
    mean, std = _statistics(name, cfg.model_type, processing)
    processing = processing or {}
    sizes = (processing.get("crop_size"), processing.get("size"), getattr(cfg, "image_size", None))
    side = resolution or next((side for side in map(_side, sizes) if side), None)
    if side is None:  # NaFlex takes any size: a square of as many patches as it was trained with
        side = math.isqrt(cfg.num_patches) * pair(cfg.patch_size)[0]
    return HubEncoder(vision, Preprocessing(side, side, mean, std), cfg.model_type)


Triple: TypeAlias = tuple[float, float, float]

_HALF = (0.5, 0.5, 0.5)
_STATISTICS = {"clip": (MEAN, STD), "owlv": (MEAN, STD), "blip": (MEAN, STD), "metaclip": (MEAN, STD)}
_STATISTICS |= {"siglip": (_HALF, _HALF), "vit": (_HALF, _HALF)}
_STATISTICS |= {"dino": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}  # ImageNet's
"""Default mean and standard deviation in `transformers`, by the beginning of a model's type."""


def _statistics(name: str, kind: str, processing: Mapping[str, Any] | None) -> tuple[Triple, Triple]:
    """Mean and standard deviation: those of the preprocessor's file, or without one those of the model's family.

    Raises:
        ConfigError: there is neither a file nor a known family, or the file asks for a step that is not supported.
    """
    if processing is None:
        known = next((values for start, values in _STATISTICS.items() if kind.startswith(start)), None)
        if known is None:
            raise ConfigError(f"{name} has no preprocessor_config.json, and none is known for a {kind}: add one")
        return known
    if processing.get("do_rescale") is False or abs(processing.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
        raise ConfigError(f"{name}: its preprocessor does not rescale pixels to 0 to 1, which is not supported")
    if processing.get("do_normalize") is False:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    mean, std = (tuple(processing.get(key, default)) for key, default in (("image_mean", MEAN), ("image_std", STD)))
    return cast(Triple, mean), cast(Triple, std)


def _side(size: Mapping[str, float] | float | Sequence[float] | None) -> int | None:
    """The side of the square input, from any of the forms that preprocessor files have; None if none is given."""
    if isinstance(size, Mapping):
        size = size.get("height", size.get("shortest_edge"))
    return pair(size)[0] if size is not None else None
