"""What the baselines have in common in their configurations and their losses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeVar

import torch.nn.functional as F
from torch import Tensor

from wordsight.imaging import Preprocessing
from wordsight.models.config import from_plain
from wordsight.text import Charset, CharTokenizer

T = TypeVar("T", bound="BaselineConfig")


@dataclass(frozen=True, kw_only=True)
class BaselineConfig:
    """What a recognizer reads and writes; subclasses add their sizes.

    Attributes:
        charset: what it can write.
        max_length: characters that it can write.
        height: of the input, in pixels.
        width_px: of the input, in pixels.
        mean: of the input's R, G and B, subtracted.
        std: of the same, divided by.
    """

    charset: Charset
    max_length: int = 25
    height: int = 32
    width_px: int = 128
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    PARTS: ClassVar[Mapping[str, type]] = {"charset": Charset}
    """The values that are configurations themselves."""

    @property
    def tokenizer(self) -> CharTokenizer:
        """Of the decoder."""
        return CharTokenizer(self.charset)

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become input."""
        return Preprocessing(self.height, self.width_px, self.mean, self.std)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
        """The inverse of `to_dict`, also after a trip through JSON.

        Raises:
            ConfigError: a key is unknown or missing.
        """
        return from_plain(cls, cls.PARTS, values)


def cross_entropy(logits: Tensor, goals: Tensor, pad: int, characters: float | None) -> Tensor:
    """Of logits (B, T, C + 1) against goals (B, T), where these are not padding.

    Divided by their number; or, where the batch is one of several parts of an optimiser step whose labels have
    `characters` characters on average, by theirs.
    """
    divisor = (goals != pad).sum() if characters is None else characters + len(goals)
    return F.cross_entropy(logits.flatten(0, 1).float(), goals.flatten(), ignore_index=pad, reduction="sum") / divisor
