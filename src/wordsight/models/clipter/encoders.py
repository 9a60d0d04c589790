"""The backbones of scene encoders: CLIP towers of ours, vision models of `transformers`, random weights, a constant."""

import hashlib
import inspect
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import Preprocessing
from wordsight.models.clip.config import CLIP_TOWERS, MEAN, STD, ClipConfig, clip_config
from wordsight.models.clip.image import ImageTower
from wordsight.models.config import ImageTowerConfig
from wordsight.models.peft.files import fingerprint

SMALL = ImageTowerConfig(64, 64, (16, 16), width=128, layers=2, heads=4)
"""The tower behind the plain name `random`: small, for quick tests."""

_WIDEST = 1 << 16  # a constant encoder's tokens; those of a ViT-bigG are 1664 wide


class Encoder(nn.Module):
    """Prepared photos (N, 3, H, W) to all tokens (N, L, width): [CLS] first if `has_cls`, then the grid, row by row.

    `identity` names the weights.
    """

    width: int
    grid: tuple[int, int]
    has_cls: bool
    preprocessing: Preprocessing
    identity: str

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Buffer(torch.zeros(0), persistent=False)  # tells the device


class TowerEncoder(Encoder):
    """A tower of ours: its tokens through the last norm, not projected to CLIP's common space (ours)."""

    def __init__(self, tower: ImageTower, preprocessing: Preprocessing, identity: str) -> None:
        super().__init__()
        self.tower = tower
        self.width, self.grid, self.has_cls = tower.cfg.width, tower.cfg.grid, tower.cfg.class_token
        self.preprocessing = preprocessing
        self.identity = identity

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.tower.tokens(images)


class ConstantEncoder(Encoder):
    """The same two tokens for every photo, a [CLS] and a grid of one: a control that carries no information."""

    grid = (1, 1)
    has_cls = True
    preprocessing = Preprocessing(1, 1)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.identity = f"constant:{width}"
        self.tokens = nn.Buffer(torch.randn(1, 2, width, generator=torch.Generator().manual_seed(0)), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.tokens.expand(images.shape[0], -1, -1)


class HubEncoder(Encoder):
    """A vision model of `transformers`, or the vision tower of a two-tower model. Register tokens are left out.

    Tokens are taken after the model's final norm. CLIP, OWL-ViT and their kin apply it to the class token alone; here
    it is applied to all tokens, as in our own towers.
    """

    def __init__(self, vision: nn.Module, preprocessing: Preprocessing, name: str) -> None:
        super().__init__()
        config: Any = vision.config
        self.vision = vision
        self.width = int(config.hidden_size)
        self.patch = _pair(config.patch_size)
        height, width = preprocessing.size
        self.grid = height // self.patch[0], width // self.patch[1]
        self.preprocessing = preprocessing
        self.identity = f"{name}:{fingerprint(vision.state_dict())[:12]}"
        # NaFlex models take a list of patches and the grid's sizes instead of pixels
        self.flexible = "spatial_shapes" in inspect.signature(vision.forward).parameters
        if self.flexible:
            vision.embeddings = _OneGrid(vision.embeddings, self.grid)
        native = getattr(config, "image_size", None)
        other = native is not None and _pair(native) != (height, width)
        able = "interpolate_pos_encoding" in inspect.signature(vision.forward).parameters
        self.more: dict[str, Any] = {"interpolate_pos_encoding": True} if other and able else {}
        self.norm = _forgotten_norm(self, torch.zeros(1, 3, height, width))
        if self.norm is not None:
            self.identity += "+norm"
        with torch.no_grad():
            extra = self._all(torch.zeros(1, 3, height, width)).shape[1] - self.cells
        if extra < 0:
            raise ConfigError(f"{name} gives fewer tokens than patches: it is not a plain vision transformer")
        self.has_cls = extra > 0

    @property
    def cells(self) -> int:
        """Tokens of the grid."""
        return self.grid[0] * self.grid[1]

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        tokens = self._all(images)
        if self.norm is not None:
            tokens = self.norm(tokens)
        patches = tokens[:, -self.cells :]
        return torch.cat([tokens[:, :1], patches], dim=1) if self.has_cls else patches

    def _all(self, images: Tensor) -> Tensor:
        if not self.flexible:
            return self.vision(pixel_values=images, **self.more).last_hidden_state
        (high, wide), count = self.patch, images.shape[0]
        patches = images.unflatten(3, (-1, wide)).unflatten(2, (-1, high))  # (N, 3, rows, high, columns, wide)
        patches = patches.permute(0, 2, 4, 3, 5, 1).reshape(count, self.cells, -1)
        there = torch.ones(count, self.cells, dtype=torch.long, device=images.device)
        shapes = torch.tensor(self.grid, device=images.device).expand(count, 2)
        return self.vision(pixel_values=patches, pixel_attention_mask=there, spatial_shapes=shapes).last_hidden_state


def _forgotten_norm(encoder: HubEncoder, images: Tensor) -> nn.Module | None:
    """The final norm, if the model does not apply it to all of its tokens; None if it does, or has none."""
    norm = getattr(encoder.vision, "post_layernorm", None)
    if not isinstance(norm, nn.Module):
        return None
    made: list[Tensor] = []
    watching = norm.register_forward_hook(lambda _module, _given, out: made.append(out))
    try:
        with torch.no_grad():
            tokens = encoder._all(images)
    finally:
        watching.remove()
    return None if any(out.shape == tokens.shape and torch.equal(out, tokens) for out in made) else norm


class _OneGrid(nn.Module):
    """The embeddings of a NaFlex model for photos that all have the same grid.

    The model's own code computes positions in a loop over the batch, which would fix the batch size of an exported
    graph.
    """

    def __init__(self, given: Any, grid: tuple[int, int]) -> None:
        super().__init__()
        self.patch_embedding = given.patch_embedding
        side = given.position_embedding_size
        learned = given.position_embedding.weight.detach().reshape(side, side, -1)
        self.positions = nn.Buffer(
            given.resize_positional_embeddings(learned, torch.tensor([grid]), max_length=grid[0] * grid[1])
        )  # (1, cells, D)

    def forward(self, pixel_values: Tensor, spatial_shapes: Tensor) -> Tensor:
        """Patches (N, cells, high * wide * 3) to embeddings (N, cells, D). `spatial_shapes` are not needed."""
        out: Tensor = self.patch_embedding(pixel_values) + self.positions
        return out


def load_encoder(name: str, resolution: int | None = None, *, download: bool = True) -> Encoder:
    """The scene encoder called `name`, in eval mode.

    Args:
        name: "constant" or "constant:WIDTH"; "random", "random:SEED" or "random:TOWER:SEED", a tower of
            `CLIP_TOWERS` (a small one without a name) with random weights; a folder with a checkpoint of ours, whose
            image tower is taken; a folder with a model of `transformers`, or its name on the hub.
        resolution: side of the square that photos are resized to; None: what the encoder was trained for.
        download: whether the hub may be contacted; otherwise only its local cache is used.

    Code that comes with a model is never run.

    Raises:
        ConfigError: the name is malformed, or the resolution does not suit the encoder.
        ModelError: the encoder cannot be loaded.
    """
    kind, *rest = name.split(":")
    if kind == "constant" and len(rest) < 2:
        width = _number(rest[0], name) if rest else 768
        if not 1 <= width <= _WIDEST:
            raise ConfigError(f"scene encoder {name!r}: its tokens must be 1 to {_WIDEST} wide")
        return ConstantEncoder(width).eval()
    if kind == "random" and len(rest) < 3:
        return _random(name, rest, resolution).eval()
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
    return (_ours(folder, resolution) if "architecture" in described else _hub(name, resolution, download)).eval()


def may_be_on_the_hub(name: str) -> bool:
    """Whether a name that is no folder may be one on the hub: NAME or OWNER/NAME, and not a mistyped local path."""
    parts = name.split("/")
    plain = len(parts) <= 2 and all(re.fullmatch(r"\w[\w.-]*", part) for part in parts)
    return plain and not (len(parts) == 2 and Path(parts[0]).is_dir())


def absolute(name: str) -> str:
    """A folder by its absolute path, so that it is found from anywhere; other names as they are."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def _number(text: str, name: str) -> int:
    if not text.isdigit() or len(text) > 18:  # torch's seeds end at 64 bits
        raise ConfigError(f"scene encoder {name!r}: {text!r} is not a number of at most 18 digits")
    return int(text)


def _random(name: str, rest: list[str], resolution: int | None) -> Encoder:
    tower = rest[0] if rest and not rest[0].isdigit() else None
    if tower is not None and tower not in CLIP_TOWERS:
        raise ConfigError(f"scene encoder {name!r}: towers are {', '.join(CLIP_TOWERS)}")
    seed = _number(rest[-1], name) if len(rest) > (tower is not None) else 0
    return random_encoder(SMALL if tower is None else clip_config(tower).image, seed, resolution)


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
        raise ConfigError(f"{folder} has no plain image tower: give a CLIP, or a recognizer without adapters")
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
    place = name if download else _here(name)
    try:
        model: Any = AutoModel.from_pretrained(place, dtype=torch.float32, trust_remote_code=False, weights_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"there is no scene encoder {name!r}, and the hub did not provide one: {reason}") from None
    except Exception as error:  # damaged weights: safetensors and pickle have classes of their own
        raise ModelError(f"{name}: its weights cannot be read ({type(error).__name__}): download it again") from error
    try:
        processing, _ = ImageProcessingMixin.get_image_processor_dict(place)
    except (OSError, ValueError):
        processing = None
    vision = getattr(model, "vision_model", model)
    cfg = vision.config
    if not hasattr(cfg, "patch_size") or not hasattr(cfg, "hidden_size"):
        raise ConfigError(f"{name!r} is not a vision transformer: give CLIP, SigLIP, BLIP, OWL-ViT, DINOv2 or the like")
    mean, std = _statistics(name, cfg.model_type, processing)
    processing = processing or {}
    sizes = (processing.get("crop_size"), processing.get("size"), getattr(cfg, "image_size", None))
    side = resolution or next((side for side in map(_side, sizes) if side), None)
    if side is None:  # NaFlex takes any size: a square of as many patches as it was trained with
        side = math.isqrt(cfg.num_patches) * _pair(cfg.patch_size)[0]
    return HubEncoder(vision, Preprocessing(side, side, mean, std), cfg.model_type)


Triple: TypeAlias = tuple[float, float, float]

_HALF = (0.5, 0.5, 0.5)
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STATISTICS = {"clip": (MEAN, STD), "owlv": (MEAN, STD), "blip": (MEAN, STD), "metaclip": (MEAN, STD)}
_STATISTICS |= {"siglip": (_HALF, _HALF), "vit": (_HALF, _HALF), "dino": _IMAGENET}
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


def _here(name: str) -> str:
    """The folder of a model: `name` itself, or its place in the hub's local cache. The hub is not contacted.

    Raises:
        ModelError: it is not on this machine.
    """
    from huggingface_hub import snapshot_download

    if Path(name).is_dir():
        return name
    try:
        return str(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        raise ModelError(
            f"the scene encoder {name!r}, which a file names, is not on this machine: give its name with "
            "--scene-encoder to download it from the hub, or its folder"
        ) from None


def _side(size: Mapping[str, float] | float | Sequence[float] | None) -> int | None:
    """The side of the square input, from any of the forms that preprocessor files have; None if none is given."""
    if isinstance(size, Mapping):
        size = size.get("height", size.get("shortest_edge"))
    return _pair(size)[0] if size is not None else None


def _pair(size: float | Sequence[float]) -> tuple[int, int]:
    return (int(size), int(size)) if isinstance(size, int | float) else (int(size[0]), int(size[1]))
