"""CLIP (arXiv 2103.00020): an image and a text, each as one vector, near each other where they belong together."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.clip.config import ClipConfig
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip.text import TextTower, end_of_text
from wordsight.models.registry import register


@register("clip")
class Clip(nn.Module):
    """Both towers and the temperature of their similarity. It reads nothing: recognizers start from its towers."""

    architecture: ClassVar[str]

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> "Clip":
        """The model that a checkpoint's configuration describes."""
        return cls(ClipConfig.from_dict(values))

    def __init__(self, cfg: ClipConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.image_tower = ImageTower(cfg.image, cfg.embed_dim)
        self.text_tower = TextTower(cfg.text, cfg.embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # CLIP's start

    def encode_image(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to unit vectors (B, D): the class token's."""
        return F.normalize(self.image_tower.project(self.image_tower.tokens(images)[:, 0]), dim=-1)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Tokens (N, S) of `ClipTokenizer` to unit vectors (N, D): that of the end of each text."""
        return F.normalize(end_of_text(self.text_tower(tokens), tokens), dim=-1)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, N): how well every text fits every image."""
        return self.logit_scale.exp() * self.encode_image(images) @ self.encode_text(tokens).T
