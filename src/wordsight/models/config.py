"""Sizes of the building blocks. Every size of every model is one of these, frozen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageTowerConfig:
    """A CLIP image tower, or its compact relative.

    With `stem` empty, images are cut into patches by one convolution, as in CLIP. Otherwise `stem` lists 3x3
    convolutions as (channels, vertical stride, horizontal stride); the last one's channels are the width.
    """

    height: int = 224
    width_px: int = 224
    patch: tuple[int, int] = (16, 16)
    stem: tuple[tuple[int, int, int], ...] = ()
    class_token: bool = True
    width: int = 768
    layers: int = 12
    heads: int = 12
    activation: str = "quickgelu"
    dropout: float = 0.0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of image tokens."""
        rows, columns = self.height, self.width_px
        if not self.stem:
            return rows // self.patch[0], columns // self.patch[1]
        for _, down, across in self.stem:
            rows, columns = -(-rows // down), -(-columns // across)
        return rows, columns


@dataclass(frozen=True)
class TextTowerConfig:
    """A CLIP text tower: a causal transformer over `context` tokens."""

    vocab_size: int
    context: int = 16
    width: int = 512
    layers: int = 12
    heads: int = 8
    activation: str = "quickgelu"
    dropout: float = 0.0


@dataclass(frozen=True)
class DecoderConfig:
    """A PARSeq decoder. Its width is that of the memory it reads."""

    depth: int = 1
    heads: int = 8
    mlp_ratio: float = 4.0
    dropout: float = 0.1
