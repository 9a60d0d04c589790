"""The configuration of a PARSeq. A preset is a whole model."""

from dataclasses import dataclass

from wordsight.imaging import Preprocessing
from wordsight.models.config import COMPACT_TOWER, PPOCR_TOWER, DecoderConfig, ImageTowerConfig
from wordsight.models.recognizer import RecognizerConfig
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class ParseqConfig(RecognizerConfig):
    """Everything that decides what a PARSeq computes.

    Attributes:
        image: the image tower.
        decoder: the decoder.
        embed_dim: D, the width of the decoder, to which the image tower projects.
        num_permutations: K, the permutations under which a batch is learned (6 in the paper).
    """

    image: ImageTowerConfig
    decoder: DecoderConfig
    embed_dim: int
    num_permutations: int = 6

    @property
    def visual_dim(self) -> int:
        """Width of the decoder that reads the image, and of its memory."""
        return self.embed_dim

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become the image tower's input."""
        return Preprocessing(self.image.height, self.image.width_px, self.mean, self.std)


def _deit(width: int) -> ParseqConfig:
    """PARSeq in a DeiT of patches of 4x8 (arXiv 2207.06966, section 4.2 and its released configurations)."""
    tower = ImageTowerConfig(
        32,
        128,
        patch=(4, 8),
        class_token=False,
        width=width,
        layers=12,
        heads=width // 64,
        activation="gelu",
        norm_pre=False,
        norm_eps=1e-6,
    )
    decoder = DecoderConfig(heads=width // 32, packed_init=True)
    return ParseqConfig(image=tower, decoder=decoder, embed_dim=width, charset=Charset.preset("94"))


def _compact(tower: ImageTowerConfig, width: int) -> ParseqConfig:
    decoder = DecoderConfig(heads=width // 32, dropout=0.0)
    return ParseqConfig(image=tower, decoder=decoder, embed_dim=width, charset=Charset.preset("94"))


PARSEQ_PRESETS: dict[str, ParseqConfig] = {
    "parseq-tiny": _deit(192),
    "parseq-small": _deit(384),
    "parseq-compact": _compact(COMPACT_TOWER, 192),
    "parseq-ppocr": _compact(PPOCR_TOWER, 256),
}
"""The paper's PARSeq-Ti and PARSeq-S, a compact one of our own, and one on PP-OCRv6's convolutions."""
