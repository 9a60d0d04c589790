"""What configurations have in common, and those of the building blocks that several models share."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from wordsight.errors import ConfigError

MALFORMED = (ConfigError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What a model raises that is built from values of a wrong kind or size."""

PP_LCNET: Literal["pp-lcnet-v4"] = "pp-lcnet-v4"
"""The name of PP-OCRv6's convolutions."""


@dataclass(frozen=True)
class Config:
    """What decides what a model computes, or how it trains. A checkpoint keeps it as JSON.

    Raises:
        ConfigError: a value is none of its field's `Literal`.
    """

    RETIRED: ClassVar[Mapping[str, object]] = {}
    """Options that are gone, and the value with which an older checkpoint still loads."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if get_origin(hint) is Literal and (value := getattr(self, name)) not in get_args(hint):
                known = ", ".join(map(repr, get_args(hint)))
                raise ConfigError(f"{name} cannot be {value!r}: choose one of {known}")

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, also after a trip through JSON.

        Raises:
            ConfigError: a key is unknown or missing.
        """
        try:
            kept = {k: v for k, v in values.items() if k not in cls.RETIRED or cls.RETIRED[k] != v}
            hints = get_type_hints(cls)
            return cls(**{key: _value(hints.get(key), value) for key, value in kept.items()})
        except (TypeError, AttributeError) as error:
            raise ConfigError(f"not a {cls.__name__}: {error}") from None


def _value(hint: Any, value: Any) -> Any:
    """A value out of JSON: lists are tuples, and where `hint` names a dataclass it is one, or None."""
    part: Any = next((kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)), None)
    if part is None or value is None:
        return tuple(_value(None, one) for one in value) if isinstance(value, list | tuple) else value
    if issubclass(part, Config):
        return part.from_dict(value)
    return part(**{key: _value(None, one) for key, one in value.items()})


@dataclass(frozen=True)
class ImageTowerConfig(Config):
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
    backbone: Literal["", "pp-lcnet-v4"] = ""
    class_token: bool = True
    width: int = 768
    layers: int = 12
    heads: int = 12
    activation: str = "quickgelu"
    norm_pre: bool = True
    norm_eps: float = 1e-5

    RETIRED: ClassVar[Mapping[str, object]] = {"dropout": 0.0}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backbone and self.stem:
            raise ConfigError(f"backbone {self.backbone!r} has no stem: leave one of them out")

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
class TextTowerConfig(Config):
    """A CLIP text tower: a causal transformer with positions for up to `context` tokens.

    With `embedding_only` it is the table of token embeddings alone: no positions, no blocks, no projection.
    """

    vocab_size: int
    context: int = 16
    width: int = 512
    layers: int = 12
    heads: int = 8
    activation: str = "quickgelu"
    embedding_only: bool = False

    RETIRED: ClassVar[Mapping[str, object]] = {"dropout": 0.0}


@dataclass(frozen=True)
class HubTextConfig(Config):
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
class DecoderConfig(Config):
    """A PARSeq decoder. Its width is that of the memory it reads.

    `depth` is its layers: one in the papers, more where the released codes were given `dec_depth`.
    `packed_init` is how the q, k and v of its attention start: as one packed matrix, which is what the released codes
    of PARSeq and CLIP4STR leave to `torch.nn.MultiheadAttention`; else like all other matrices.
    """

    depth: int = 1
    heads: int = 8
    mlp_ratio: float = 4.0
    dropout: float = 0.1
    packed_init: bool = False


@dataclass(frozen=True)
class PeftConfig(Config):
    """Parameter-efficient fine-tuning: what trains instead of a tower's own weights. Decoders and heads train as usual.

    Attributes:
        kind: "frozen": nothing. "adapter": CLIP-Adapter on the projected tokens. "ladder": LST as in CLIP4STR's paper,
            "ladder-released": as in its code. "lora": low-rank updates of every linear layer of the tower's blocks.
        reduction: the ladder's r: its blocks are 1/r as wide (or, as released, 1/r as wide inside).
        blocks: which of the tower's blocks the ladder copies; none given: every second from the second on (as
            released: 1, 3, 5, 7, 9, 11 of 12).
        rank: of LoRA's updates.
        alpha: LoRA's updates are scaled by alpha / rank.
        towers: whose weights stand still. The text tower can be frozen or get LoRA; adapters and ladders are for the
            image tower.

    Raises:
        ConfigError: a size below 1, or a text tower with an adapter or ladder.
    """

    kind: Literal["frozen", "adapter", "ladder", "ladder-released", "lora"] = "lora"
    reduction: int = 4
    blocks: tuple[int, ...] = ()
    rank: int = 8
    alpha: float = 16.0
    towers: tuple[Literal["image", "text"], ...] = ("image",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.reduction, self.rank) < 1:
            raise ConfigError(f"reduction {self.reduction} and rank {self.rank} must be 1 or more")
        if "text" in self.towers and self.kind not in ("frozen", "lora"):
            raise ConfigError(f"{self.kind!r} is for the image tower alone: set towers to [image]")


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
