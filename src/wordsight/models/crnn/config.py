"""Sizes of a CRNN."""

from dataclasses import dataclass
from typing import Literal

from wordsight.errors import ConfigError
from wordsight.models.config import COMPACT_TOWER, PP_LCNET, ImageTowerConfig
from wordsight.models.layers.convolutions import BACKBONE_CHANNELS
from wordsight.models.recognizer import CropConfig
from wordsight.text import Charset

VGG = (64, 128, 256, 256, 512, 512, 512)
"""Channels of the seven convolutions (paper, table 1)."""


@dataclass(frozen=True, kw_only=True)
class CrnnConfig(CropConfig):
    """Sizes of a CRNN. The paper's input is grey and 100 pixels wide while training; ours is RGB and 128.

    Attributes:
        stem: empty for the paper's convolutions; otherwise those of a `ConvStem`. They must leave one row, and a column
            for each of `max_length` characters; CTC needs one more between equal ones.
        backbone: of `ImageTowerConfig`, instead; the mean of its rows is the one row.
        hidden: width of an LSTM in each direction.

    Raises:
        ConfigError: the convolutions leave more than one row, or too few columns.
    """

    stem: tuple[tuple[int, int, int], ...] = ()
    backbone: Literal["", "pp-lcnet-v4"] = ""
    hidden: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        rows, columns = self.grid
        if rows != 1:
            raise ConfigError(f"of {self.height} pixels the convolutions make {rows} rows: they must make one")
        if columns < self.max_length:
            raise ConfigError(f"{columns} columns cannot spell {self.max_length} characters: widen the input")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns that the convolutions leave."""
        if self.stem or self.backbone:
            rows, columns = ImageTowerConfig(self.height, self.width_px, stem=self.stem, backbone=self.backbone).grid
            return 1 if self.backbone else rows, columns
        return self.height // 16 - 1, self.width_px // 4 - 1

    @property
    def channels(self) -> int:
        """Width of a column."""
        if self.backbone:
            return BACKBONE_CHANNELS
        return self.stem[-1][0] if self.stem else VGG[-1]


CRNN_PRESETS: dict[str, CrnnConfig] = {
    "crnn": CrnnConfig(charset=Charset.preset("94")),
    "crnn-ppocr": CrnnConfig(charset=Charset.preset("94"), height=48, width_px=192, backbone=PP_LCNET, hidden=128),
    "crnn-compact": CrnnConfig(charset=Charset.preset("94"), stem=COMPACT_TOWER.stem, hidden=128),
}
"""Models by name: the paper's, one on PP-OCRv6's convolutions, and a compact one of our own."""
