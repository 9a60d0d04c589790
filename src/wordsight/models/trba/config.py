"""Sizes of a TRBA."""

from dataclasses import dataclass

from wordsight.errors import ConfigError
from wordsight.models.config import COMPACT_TOWER, ImageTowerConfig
from wordsight.models.recognizer import CropConfig
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class TrbaConfig(CropConfig):
    """Sizes of a TRBA. The defaults are the paper's.

    Attributes:
        points: fiducial points of the rectification; 0 leaves it out.
        locator: channels of the convolutions that find them.
        width: channels of the residual network.
        blocks: in its four stages.
        stem: empty for the residual network. Otherwise the convolutions of a `ConvStem` in its place.
        hidden: width of the recurrent layers, of each direction.

    Raises:
        ConfigError: the stem leaves more than one row.
    """

    points: int = 20
    locator: tuple[int, int, int, int] = (64, 128, 256, 512)
    width: int = 512
    blocks: tuple[int, int, int, int] = (1, 2, 5, 3)
    stem: tuple[tuple[int, int, int], ...] = ()
    hidden: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        rows, _ = ImageTowerConfig(self.height, self.width_px, stem=self.stem).grid if self.stem else (1, 0)
        if rows != 1:
            raise ConfigError(f"the stem makes {rows} rows of {self.height} pixels: it must make one")

    @property
    def channels(self) -> int:
        """Width of a column."""
        return self.stem[-1][0] if self.stem else self.width


TRBA_PRESETS: dict[str, TrbaConfig] = {
    # As published, but for three colours and 128 columns, as in PARSeq's comparison (there: grey and 100)
    "trba": TrbaConfig(charset=Charset.preset("94")),
    # Without rectification
    "trba-compact": TrbaConfig(
        charset=Charset.preset("94"),
        points=0,
        stem=COMPACT_TOWER.stem,
        hidden=128,
    ),
}
"""Models by name: the paper's, and a compact one of our own."""
