"""CLIP's sizes by name."""

from dataclasses import dataclass

from wordsight.imaging import Preprocessing
from wordsight.models.config import Config, ImageTowerConfig, TextTowerConfig
from wordsight.text import Charset

VOCAB_SIZE = 49408
"""Tokens of CLIP's byte-pair encoding, the start (49406) and the end of a text (49407) among them."""

CONTEXT = 77
"""Positions of CLIP's text towers."""

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Statistics of CLIP's training images (RGB, 0 to 1), with which nearly all CLIPs want their inputs normalised."""


@dataclass(frozen=True)
class ClipConfig(Config):
    """Both towers and the width `embed_dim` of the space in which they meet.

    `charset` is that of a text tower which reads characters, as those of compact recognizers do (`CharTokenizer`); None
    is CLIP's byte-pair encoding. `mean` and `std` normalise images.
    """

    image: ImageTowerConfig
    text: TextTowerConfig
    embed_dim: int
    charset: Charset | None = None
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become the image tower's input."""
        return Preprocessing(self.image.height, self.image.width_px, self.mean, self.std)


def _clip(patch: int, width: int, layers: int, embed_dim: int, text_layers: int = 12, size: int = 224) -> ClipConfig:
    """One head for every 64 channels and QuickGELU: as OpenAI's. The text tower is as wide as the common space."""
    return ClipConfig(
        ImageTowerConfig(size, size, (patch, patch), width=width, layers=layers, heads=width // 64),
        TextTowerConfig(VOCAB_SIZE, CONTEXT, embed_dim, text_layers, heads=embed_dim // 64),
        embed_dim,
    )


CLIP_TOWERS: dict[str, ClipConfig] = {
    "ViT-B-32": _clip(32, 768, 12, 512),
    "ViT-B-16": _clip(16, 768, 12, 512),
    "ViT-L-14": _clip(14, 1024, 24, 768),
    "ViT-L-14-336": _clip(14, 1024, 24, 768, size=336),
    "ViT-H-14": _clip(14, 1280, 32, 1024, text_layers=24),
}
"""Towers by the names that OpenCLIP gives them, all with QuickGELU and heads of 64 channels.

Weights may want other values for what their shapes do not show: OpenCLIP's own ViT-H-14 was trained with 16 heads of 80
channels in its image tower, and all but OpenAI's and DFN's weights with plain GELU (`dataclasses.replace` either).
"""
