"""Sizes of a CRNN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from wordsight.errors import ConfigError
from wordsight.models.config import COMPACT_TOWER, ImageTowerConfig
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
        hidden: width of an LSTM in each direction.

    Raises:
        ConfigError: the convolutions leave more than one row, or too few columns.
    """

    stem: tuple[tuple[int, int, int], ...] = ()
    hidden: int = 256

    RETIRED: ClassVar[Mapping[str, object]] = {"backbone": ""}

    def __post_init__(self) -> None:
        rows, columns = self.grid
        if rows != 1:
            raise ConfigError(f"of {self.height} pixels the convolutions make {rows} rows: they must make one")
        if columns < self.max_length:
            raise ConfigError(f"{columns} columns cannot spell {self.max_length} characters: widen the input")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns that the convolutions leave."""
        if self.stem:
            return ImageTowerConfig(self.height, self.width_px, stem=self.stem).grid
        return self.height // 16 - 1, self.width_px // 4 - 1

    @property
    def channels(self) -> int:
        """Width of a column."""
        return self.stem[-1][0] if self.stem else VGG[-1]


CRNN_PRESETS: dict[str, CrnnConfig] = {
    "crnn": CrnnConfig(charset=Charset.preset("94")),
    "crnn-compact": CrnnConfig(charset=Charset.preset("94"), stem=COMPACT_TOWER.stem, hidden=128),
}
"""Models by name: the paper's, and a compact one of our own."""
