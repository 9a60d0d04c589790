"""The scene encoder: any of the backbones, frozen, and the pooling of its tokens."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing, prepare
from wordsight.imaging.preprocess import centre_square
from wordsight.models.clipter.backbones import Encoder, HubEncoder, TowerEncoder
from wordsight.models.clipter.encoders import load_encoder, random_encoder
from wordsight.models.clipter.model import ClipterConfig

BATCH = 16
"""Scenes that are encoded at once."""


class SceneEncoder(nn.Module):
    """Photos to scene tokens, by a frozen encoder: no gradient, always in eval mode.

    Args:
        encoder: makes the tokens of a whole photo.
        kernel: see `pool`.
        keep_cls: see `pool`.
        centre_crop: crop a photo to the square in its middle. Otherwise all of it is resized to the encoder's square
            (ours: a crop loses the sides, and often the word itself).
    """

    def __init__(
        self, encoder: Encoder, kernel: int | None = None, keep_cls: bool = True, centre_crop: bool = False
    ) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.width = encoder.width  # of the tokens
        self.kernel = kernel
        self.keep_cls = keep_cls
        self.centre_crop = centre_crop
        self.train(False)

    @classmethod
    def of(cls, cfg: ClipterConfig, *, download: bool = True) -> "SceneEncoder":
        """The encoder that a configuration names; without `download` only if it is on this machine.

        Raises:
            ConfigError: its tokens are not as wide as the configuration says, or its name is malformed.
            ModelError: it cannot be loaded.
        """
        encoder = load_encoder(cfg.encoder, cfg.resolution, download=download)
        if encoder.width != cfg.scene_dim:
            wide, said = encoder.width, cfg.scene_dim
            raise ConfigError(f"scene tokens of {cfg.encoder!r} are {wide} wide, not {said}: set scene_dim to {wide}")
        return cls(encoder, cfg.kernel, cfg.keep_cls, cfg.centre_crop)

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos become its input."""
        return self.encoder.preprocessing

    @property
    def identity(self) -> str:
        """One line that names all that tokens depend on besides the photo: weights, resolution, cropping, pooling."""
        input = self.preprocessing
        values = hashlib.sha256(repr((input.mean, input.std)).encode()).hexdigest()[:6]
        size = f"{input.height}x{input.width}:{values}{' centre' if self.centre_crop else ''}"
        k = "inf" if self.kernel is None else f"{self.kernel}{'+cls' if self.keep_cls else ''}"
        return f"{self.encoder.identity} {size} k={k}"

    def train(self, mode: bool = True) -> "SceneEncoder":
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Prepared photos (N, 3, H, W) to scene tokens (N, M, D_s)."""
        tokens = self.encoder(images)
        return pool(tokens, self.encoder.grid, self.kernel, self.keep_cls, self.encoder.has_cls)

    def prepare(self, scenes: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Photos, uint8 RGB (h, w, 3) each, to float32 (N, 3, H, W)."""
        return prepare([centre_square(scene) for scene in scenes] if self.centre_crop else scenes, self.preprocessing)

    def encode(self, scenes: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
        """Scene tokens (N, M, D_s) of photos, uint8 RGB (h, w, 3) each; on the encoder's device."""
        device = self.encoder.anchor.device
        parts = [scenes[i : i + BATCH] for i in range(0, len(scenes), BATCH)]
        return torch.cat([self(torch.from_numpy(self.prepare(part)).to(device)) for part in parts])


def untrained(scenes: SceneEncoder, seed: int = 0) -> SceneEncoder:
    """An encoder like `scenes` with random weights, the same for the same seed; pooling and resolution as there.

    Raises:
        ConfigError: it has no weights to be random.
    """
    given = scenes.encoder
    new: Encoder
    if isinstance(given, TowerEncoder):
        new = random_encoder(given.tower.cfg, seed)
        new.preprocessing = given.preprocessing
    elif isinstance(given, HubEncoder):
        build = type(given.vision)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            new = HubEncoder(build(given.vision.config), given.preprocessing, f"random:{build.__name__}:{seed}")
    else:
        raise ConfigError(f"{given.identity!r} has no weights: the control random-encoder needs an encoder that has")
    return SceneEncoder(new.eval(), scenes.kernel, scenes.keep_cls, scenes.centre_crop)


def pool(
    tokens: Tensor, grid: tuple[int, int], kernel: int | None, keep_cls: bool = True, has_cls: bool = True
) -> Tensor:
    """Average pooling of scene tokens, with kernel and stride k: a larger k is faster and loses spatial detail.

    If k does not divide the grid, the last rows and columns are averages of the tokens that there are.

    Args:
        tokens: (N, L, D), [CLS] first where `has_cls`, then the grid row by row.
        grid: its rows and columns.
        kernel: k; 1 keeps all tokens. None is infinite: [CLS] alone, or the mean of the grid where there is no [CLS]
            (ours: SigLIP and others have none).
        keep_cls: whether [CLS] stays beside the averages.

    Returns:
        (N, M, D); M = ceil(rows / k) * ceil(columns / k), one more with [CLS], or 1.
    """
    cls, patches = tokens[:, : int(has_cls)], tokens[:, int(has_cls) :]
    if kernel is None:
        return cls if has_cls else patches.mean(1, keepdim=True)
    if kernel > 1:
        # Padded with zeros and divided by what was there: engines differ in how they round averages up at the edge
        rows, columns = grid
        margin = (0, -columns % kernel, 0, -rows % kernel)
        plane = F.pad(patches.transpose(1, 2).unflatten(2, grid), margin)  # (N, D, rows, columns)
        there = F.pad(torch.ones(1, 1, rows, columns, dtype=tokens.dtype, device=tokens.device), margin)
        patches = (F.avg_pool2d(plane, kernel) / F.avg_pool2d(there, kernel)).flatten(2).transpose(1, 2)
    return torch.cat([cls, patches], dim=1) if keep_cls else patches
