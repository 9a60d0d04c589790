"""PP-OCRv6's detectors: how probable the core of a line or word is at every pixel (DB, arXiv 1911.08947)."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.config import Config
from wordsight.models.layers.lcnet import LcNet, LcNetConfig, stage
from wordsight.models.model import Model
from wordsight.models.ppocr.glance import Glance, GlanceConfig
from wordsight.models.ppocr.pyramids import LargePyramid, LightPyramid

STRIDE = 32
"""Pixels: heights and widths of pictures are multiples of it."""

SMALL = LcNetConfig(
    stem=(3, 24, 48),
    stages=(
        stage(48, 48, (1, 1), "10"),
        stage(48, 96, (2, 2), "010"),
        stage(96, 192, (2, 2), "01010"),
        stage(192, 384, (2, 2), "010"),
    ),
)
"""The convolutions of PP-OCRv6 small's detector."""


@dataclass(frozen=True, kw_only=True)
class DbConfig(Config):
    """Sizes of a detector; those given are of PP-OCRv6 small.

    Attributes:
        convolutions: four stages with strides of 4, 8, 16 and 32 pixels.
        neck: "light" as in PP-OCRv6 small, "large" as in medium.
        width: channels of the neck.
        kernel: of its large convolutions: depthwise ones in a light neck.
        reduction: by how much its inner parts narrow.
        mean: of the input's R, G and B, from 0 to 1, subtracted.
        std: of the same, divided by.
        glance: at the picture, before; None: none, as published.
    """

    convolutions: LcNetConfig = SMALL
    neck: Literal["light", "large"] = "light"
    width: int = 96
    kernel: int = 7
    reduction: int = 4
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    glance: GlanceConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0 <= value <= 1 for value in self.mean) or not all(1e-3 <= value <= 1e3 for value in self.std):
            raise ConfigError(f"mean {self.mean} must be from 0 to 1, std {self.std} from 0.001 to 1000")


class Db(Model):
    """The detector. What it calls text is the core of a line or word, shrunk so that neighbours do not touch."""

    architecture = "db"
    config_class = DbConfig
    cfg: DbConfig

    def __init__(self, cfg: DbConfig) -> None:
        super().__init__(cfg)
        self.image_encoder = LcNet(cfg.convolutions)
        neck = {"light": LightPyramid, "large": LargePyramid}[cfg.neck]
        self.neck = neck(cfg.convolutions.widths, cfg.width, cfg.kernel, cfg.reduction)
        self.head = MapHead(cfg.width)
        self.glance = Glance(cfg.glance) if cfg.glance else None

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), RGB less `mean` over `std`, sides multiples of 32, to (B, width, H / 4, W / 4)."""
        return self.neck(self.image_encoder(images))

    def forward(self, images: Tensor) -> Tensor:
        """Images as in `features` to the probability of text (B, 1, H, W)."""
        return torch.sigmoid(self.head(self.features(images)))


class MapHead(nn.Module):
    """Four times the height and width in two steps, and one number for every pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_down = nn.Conv2d(width, width // 4, 3, padding=1)
        self.conv_up = nn.ConvTranspose2d(width // 4, width // 4, 2, 2)
        self.conv_final = nn.ConvTranspose2d(width // 4, 1, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H / 4, W / 4) to logits (B, 1, H, W)."""
        return self.conv_final(F.relu(self.conv_up(F.relu(self.conv_down(x)))))


DB_PRESETS: dict[str, DbConfig] = {"db": DbConfig(glance=GlanceConfig())}
"""Detectors by name: PP-OCRv6 small's, with a glance before it."""
