"""Sizes of CLIP4STR. A preset is a whole model in a dozen lines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing
from wordsight.models.config import DecoderConfig, ImageTowerConfig, TextTowerConfig
from wordsight.text import PRESETS, Charset, CharTokenizer


@dataclass(frozen=True)
class Clip4StrConfig:
    """Everything that decides the shape of a CLIP4STR model.

    `embed_dim` is the width in which image tokens, text tokens and decoders meet. `ctc_weight` adds an auxiliary CTC
    loss on the image tokens while training (ours, for training from nothing; 0 leaves its head out).
    """

    image: ImageTowerConfig
    text: TextTowerConfig
    decoder: DecoderConfig
    embed_dim: int
    charset: Charset
    max_length: int = 40
    num_permutations: int = 6
    ctc_weight: float = 0.0
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become the image tower's input."""
        return Preprocessing(self.image.height, self.image.width_px, self.mean, self.std)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Clip4StrConfig":
        """The inverse of `to_dict`, also after a trip through JSON.

        Raises:
            ConfigError: a key is unknown or missing.
        """
        parts: dict[str, type] = {
            "image": ImageTowerConfig,
            "text": TextTowerConfig,
            "decoder": DecoderConfig,
            "charset": Charset,
        }
        try:
            return cls(**{k: parts[k](**_tuples(v)) if k in parts else _tuple(v) for k, v in values.items()})
        except TypeError as error:
            raise ConfigError(f"not a CLIP4STR configuration: {error}") from None


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _tuple(v) for k, v in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, list | tuple) else value


def _compact(width: int, stem: tuple[tuple[int, int, int], ...], layers: int, text_layers: int) -> Clip4StrConfig:
    """A compact CLIP4STR: 32x128 crops, a convolutional stem to one row of 32 tokens, characters as text tokens."""
    charset = Charset("94+space", PRESETS["94+space"])
    max_length = 40
    heads = width // 32
    return Clip4StrConfig(
        image=ImageTowerConfig(
            32, 128, stem=stem, class_token=False, width=width, layers=layers, heads=heads, activation="gelu"
        ),
        text=TextTowerConfig(
            vocab_size=CharTokenizer(charset).vocab_size,
            context=max_length + 2,
            width=width,
            layers=text_layers,
            heads=heads,
            activation="gelu",
        ),
        decoder=DecoderConfig(heads=heads, dropout=0.0),
        embed_dim=width,
        charset=charset,
        max_length=max_length,
        num_permutations=4,
        ctc_weight=1.0,
    )


CLIP4STR_PRESETS: dict[str, Clip4StrConfig] = {
    "clip4str-tiny": _compact(
        192,
        stem=((32, 2, 2), (64, 2, 2), (64, 1, 1), (128, 2, 1), (192, 2, 1), (192, 2, 1)),
        layers=3,
        text_layers=2,
    ),
    "clip4str-small": _compact(
        384,
        stem=((64, 2, 2), (128, 2, 2), (128, 1, 1), (256, 2, 1), (256, 1, 1), (384, 2, 1), (384, 2, 1)),
        layers=8,
        text_layers=4,
    ),
}
"""Models by name."""


def clip4str_preset(name: str) -> Clip4StrConfig:
    """The configuration called `name`."""
    if name not in CLIP4STR_PRESETS:
        raise ConfigError(f"no CLIP4STR model is called {name!r}: choose one of {', '.join(CLIP4STR_PRESETS)}")
    return CLIP4STR_PRESETS[name]
