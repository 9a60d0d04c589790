"""Sizes of a ViTSTR."""

from dataclasses import dataclass, replace

from wordsight.errors import ConfigError
from wordsight.models.config import COMPACT_TOWER, ImageTowerConfig
from wordsight.models.recognizer import CropConfig
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class VitstrConfig(CropConfig):
    """Sizes of a ViTSTR.

    Raises:
        ConfigError: the tower has another input size, no class token, or too few tokens for `max_length`.
    """

    image: ImageTowerConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.image.height, self.image.width_px) != (self.height, self.width_px) or not self.image.class_token:
            raise ConfigError(f"the tower needs a class token and images of {self.height}x{self.width_px}")
        if self.image.tokens < self.max_length + 2:
            raise ConfigError(f"{self.image.tokens} image tokens cannot be {self.max_length} characters and two more")


def _deit(width: int, heads: int) -> VitstrConfig:
    """In the transformer of DeiT (arXiv 2012.12877): 12 blocks over patches of 16x16."""
    tower = ImageTowerConfig(width=width, heads=heads, activation="gelu", norm_pre=False, norm_eps=1e-6)
    return VitstrConfig(charset=Charset.preset("94"), height=224, width_px=224, image=tower)


VITSTR_PRESETS: dict[str, VitstrConfig] = {
    "vitstr-tiny": _deit(192, 3),
    "vitstr-small": _deit(384, 6),
    "vitstr-base": _deit(768, 12),
    # Not in patches of 4x8 but in the tower of clip4str-tiny: a quarter of the tokens, and room for 25 characters
    "vitstr-compact": VitstrConfig(charset=Charset.preset("94"), image=replace(COMPACT_TOWER, class_token=True)),
}
"""Models by name: the paper's, and a compact one of our own."""
