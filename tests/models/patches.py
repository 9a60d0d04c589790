"""A recognizer of one's own: its sizes, and a class."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wordsight.decoding.one_shot import ONE_SHOT
from wordsight.models.recognizer import CropConfig, Recognizer


@dataclass(frozen=True, kw_only=True)
class PatchesConfig(CropConfig):
    """`width`: channels of a patch."""

    width: int = 8


class Patches(Recognizer):
    """Patches of 8x8 pixels, and a linear layer that says all characters at once."""

    architecture = "patches"
    kind = ONE_SHOT
    config_class = PatchesConfig
    cfg: PatchesConfig

    def __init__(self, cfg: PatchesConfig) -> None:
        super().__init__(cfg)
        self.image_encoder = nn.Conv2d(3, cfg.width, 8, stride=8)
        features = cfg.width * (cfg.height // 8) * (cfg.width_px // 8)
        self.head = nn.Linear(features, (cfg.max_length + 1) * self.tokenizer.num_classes)

    def encode(self, images: Tensor, context: None = None) -> Tensor:
        return self.image_encoder(images).flatten(2).transpose(1, 2)

    def forward(self, images: Tensor, context: None = None) -> Tensor:
        logits = self.head(torch.relu(self.encode(images)).flatten(1))
        return logits.unflatten(1, (self.cfg.max_length + 1, -1))
