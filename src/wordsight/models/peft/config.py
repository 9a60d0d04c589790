"""Which new weights a frozen tower gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from wordsight.errors import ConfigError

Kind = Literal["frozen", "adapter", "ladder", "ladder-released", "lora"]
Tower = Literal["image", "text"]


@dataclass(frozen=True)
class PeftConfig:
    """What trains instead of a tower's own weights. Decoders and heads train as usual.

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

    kind: Kind = "lora"
    reduction: int = 4
    blocks: tuple[int, ...] = ()
    rank: int = 8
    alpha: float = 16.0
    towers: tuple[Tower, ...] = ("image",)

    def __post_init__(self) -> None:
        if min(self.reduction, self.rank) < 1:
            raise ConfigError(f"reduction {self.reduction} and rank {self.rank} must be 1 or more")
        if "text" in self.towers and self.kind not in ("frozen", "lora"):
            raise ConfigError(f"{self.kind!r} is for the image tower alone: set towers to [image]")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PeftConfig":
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**given)
