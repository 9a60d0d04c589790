"""Sizes of an ABINet."""

from dataclasses import dataclass

from wordsight.models.config import ImageTowerConfig
from wordsight.models.recognizer import CropConfig
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class AbinetConfig(CropConfig):
    """Sizes of an ABINet. The defaults are the paper's.

    Attributes:
        widths: channels of the residual network's stages.
        blocks: in its stages.
        stem: empty for the residual network. Otherwise the convolutions of a `ConvStem` in its place.
        units: transformer units behind it.
        heads: of all attentions but the one by position, which has one.
        funnel: channels inside the position attention.
        language_units: of the language model.
        dropout: in all units.
        language_weight: of the language model's own loss.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    blocks: tuple[int, ...] = (3, 4, 6, 6, 3)
    stem: tuple[tuple[int, int, int], ...] = ()
    units: int = 3
    heads: int = 8
    funnel: int = 64
    language_units: int = 4
    dropout: float = 0.1
    language_weight: float = 1.0

    @property
    def width(self) -> int:
        """Of all features: that of the last convolution."""
        return self.stem[-1][0] if self.stem else self.widths[-1]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the backbone's output for an image."""
        if self.stem:
            return ImageTowerConfig(self.height, self.width_px, stem=self.stem).grid
        return self.height // 4, self.width_px // 4

    @property
    def positions(self) -> int:
        """Of the characters and [E]."""
        return self.max_length + 1


ABINET_PRESETS: dict[str, AbinetConfig] = {
    "abinet": AbinetConfig(charset=Charset.preset("94")),
    # A quarter of the tokens, no dropout
    "abinet-compact": AbinetConfig(
        charset=Charset.preset("94"),
        stem=((32, 2, 2), (64, 2, 2), (64, 1, 1), (128, 2, 1), (128, 2, 1)),
        units=3,
        heads=4,
        funnel=32,
        language_units=2,
        dropout=0.0,
    ),
}
"""Models by name: the paper's, and a compact one of our own."""
