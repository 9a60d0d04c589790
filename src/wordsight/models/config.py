"""Sizes of the building blocks. Every size of every model is one of these, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wordsight.errors import ConfigError

T = TypeVar("T")

PP_LCNET = "pp-lcnet-v4"
"""The name of PP-OCRv6's convolutions."""


@dataclass(frozen=True)
class ImageTowerConfig:
    """A CLIP image tower, or its compact relative.

    With `stem` empty, images are cut into patches by one convolution, as in CLIP. Otherwise `stem` lists 3x3
    convolutions as (channels, vertical stride, horizontal stride); the last one's channels are the width.
    `backbone` names convolutions of others instead: "pp-lcnet-v4", those of PP-OCRv6 small's recognizer, whose 384
    channels are the width; three rows are left of 48 pixels, and a column of every 4.
    `norm_pre` is CLIP's normalisation before the first block; other vision transformers have none. `norm_eps` is what
    every normalisation adds to the variance: 1e-5 in CLIP, 1e-6 in timm's vision transformers and so in PARSeq.
    """

    height: int = 224
    width_px: int = 224
    patch: tuple[int, int] = (16, 16)
    stem: tuple[tuple[int, int, int], ...] = ()
    backbone: str = ""
    class_token: bool = True
    width: int = 768
    layers: int = 12
    heads: int = 12
    activation: str = "quickgelu"
    dropout: float = 0.0
    norm_pre: bool = True
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.backbone not in ("", PP_LCNET) or (self.backbone and self.stem):
            raise ConfigError(f"backbone {self.backbone!r}: it is {PP_LCNET!r} and has no stem, or it is left out")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of image tokens."""
        rows, columns = self.height, self.width_px
        if self.backbone:
            return rows // 16, columns // 4
        if not self.stem:
            return rows // self.patch[0], columns // self.patch[1]
        for _, down, across in self.stem:
            rows, columns = -(-rows // down), -(-columns // across)
        return rows, columns

    @property
    def tokens(self) -> int:
        """Image tokens, the class token included."""
        rows, columns = self.grid
        return rows * columns + int(self.class_token)


@dataclass(frozen=True)
class TextTowerConfig:
    """A CLIP text tower: a causal transformer with positions for up to `context` tokens.

    With `embedding_only` it is the table of token embeddings alone: no positions, no blocks, no projection.
    """

    vocab_size: int
    context: int = 16
    width: int = 512
    layers: int = 12
    heads: int = 8
    activation: str = "quickgelu"
    dropout: float = 0.0
    embedding_only: bool = False


@dataclass(frozen=True)
class HubTextConfig:
    """A text encoder of `transformers` as text tower, whole: nothing has to be fetched to build it again.

    Attributes:
        name: where it came from.
        model: its own configuration, as `transformers` writes it.
        tokenizer: the content of its tokenizer.json. It makes the captions.
    """

    name: str
    model: Mapping[str, Any]
    tokenizer: str = field(repr=False)  # megabytes


@dataclass(frozen=True)
class DecoderConfig:
    """A PARSeq decoder. Its width is that of the memory it reads.

    `packed_init` is how the q, k and v of its attention start: as one packed matrix, which is what the released codes
    of PARSeq and CLIP4STR leave to `torch.nn.MultiheadAttention`; else like all other matrices.
    """

    depth: int = 1
    heads: int = 8
    mlp_ratio: float = 4.0
    dropout: float = 0.1
    packed_init: bool = False


def from_plain(cls: type[T], parts: Mapping[str, type], values: Mapping[str, Any]) -> T:
    """A configuration out of what `dataclasses.asdict` made of it, also after a trip through JSON.

    `parts` says which values are configurations themselves, where they are not None.

    Raises:
        ConfigError: a key is unknown or missing.
    """

    def part(key: str, value: Any) -> Any:
        if key not in parts or value is None:
            return _tuple(value)
        return parts[key](**{k: _tuple(v) for k, v in value.items()})

    try:
        return cls(**{key: part(key, value) for key, value in values.items()})
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"not a {cls.__name__}: {error}") from None


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, list | tuple) else value


COMPACT_TOWER = ImageTowerConfig(
    32,
    128,
    stem=((32, 2, 2), (64, 2, 2), (64, 1, 1), (128, 2, 1), (192, 2, 1), (192, 2, 1)),
    class_token=False,
    width=192,
    layers=3,
    heads=6,
    activation="gelu",
)
"""The image tower of the compact models (ours): convolutions to one row of 32 tokens, and three blocks."""

PPOCR_TOWER = ImageTowerConfig(
    48, 192, backbone=PP_LCNET, class_token=False, width=384, layers=0, heads=8, activation="gelu", norm_pre=False
)
"""PP-OCRv6 small's convolutions, which have learned to see text: 3 rows of 48 tokens, and no blocks (ours)."""
