"""A glance at a picture before the detector looks: in which blocks of it text may be (ours).

Most of a photograph has no text. The glance is the first stages of the detector's own convolutions on a picture half as
high and wide. It costs an eighth of the detector, which then only looks where text may be.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.config import Config
from wordsight.models.layers.lcnet import LcNet, LcNetConfig, stage

GLANCE = LcNetConfig(
    stem=(3, 24, 48),
    stages=(stage(48, 48, (1, 1), "10"), stage(48, 96, (2, 2), "010"), stage(96, 192, (2, 2), "01010")),
)
"""The first three stages of PP-OCRv6 small's detector."""


@dataclass(frozen=True, kw_only=True)
class GlanceConfig(Config):
    """Sizes of the glance.

    Attributes:
        convolutions: stages whose last two have strides of 8 and 16 pixels of the smaller picture.
        width: channels in which these two are added.
    """

    convolutions: LcNetConfig = GLANCE
    width: int = 64


class Glance(nn.Module):
    """Half as large pictures (B, 3, H, W), sides multiples of 16, to logits of text in blocks (B, H / 8, W / 8)."""

    def __init__(self, cfg: GlanceConfig) -> None:
        super().__init__()
        self.image_encoder = LcNet(cfg.convolutions)
        fine, coarse = cfg.convolutions.widths[-2:]
        self.fine = nn.Conv2d(fine, cfg.width, 1)
        self.coarse = nn.Conv2d(coarse, cfg.width, 1)
        self.head = nn.Conv2d(cfg.width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        *_, fine, coarse = self.image_encoder(images)
        around = F.interpolate(self.coarse(coarse), scale_factor=2.0, mode="nearest")
        return self.head(F.relu(self.fine(fine) + around))[:, 0]
