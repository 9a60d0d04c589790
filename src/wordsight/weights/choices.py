"""What tensor shapes do not determine: given by the user, stated by the checkpoint, or assumed; and which of these."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from wordsight.errors import ConfigError
from wordsight.models.layers.transformer import ACTIVATIONS
from wordsight.text import Charset

T = TypeVar("T")
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Options:
    """What the user, or the configuration beside it, states about a checkpoint. None: it is read from it, or assumed.

    Attributes:
        heads: of the image tower's attention.
        text_heads: of the text tower's.
        decoder_heads: of the decoders'.
        activation: of both towers, "quickgelu" or "gelu".
        mean: R, G, B, subtracted from inputs of 0 to 1.
        std: R, G, B, by which they are divided then.
        size: height and width of the input, pixels.
        charset: what the decoders write, in the order of their head.
    """

    heads: int | None = None
    text_heads: int | None = None
    decoder_heads: int | None = None
    activation: str | None = None
    mean: Triple | None = None
    std: Triple | None = None
    size: tuple[int, int] | None = None
    charset: Charset | None = None

    def __post_init__(self) -> None:
        if self.activation is not None and self.activation not in ACTIVATIONS:
            raise ConfigError(f"no activation is called {self.activation!r}: choose one of {', '.join(ACTIVATIONS)}")
        if not all(map(math.isfinite, (*(self.mean or ()), *(self.std or ())))) or min(self.std or (1,)) <= 0:
            raise ConfigError("--mean and --std are numbers, and --std, by which inputs are divided, is above 0")


@dataclass
class Choices:
    """Decides what shapes do not determine, and records what was found and what was assumed, in words."""

    options: Options = field(default_factory=Options)
    found: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    """Names of the options that mattered."""

    def choose(self, option: str, what: str, stated: T | None, default: T, why: str) -> T:
        """The option if it is given, what the checkpoint states if it does, or the default.

        Args:
            option: its name in `Options`.
            what: what is chosen, for people.
            stated: by the checkpoint.
            default: otherwise,
            why: and for which reason.
        """
        given: Any = self.given(option)
        if given is not None:
            self.found.append(f"{what} {_words(given)} (given)")
            return given  # type: ignore[no-any-return]
        if stated is not None:
            self.found.append(f"{what} {_words(stated)} (stated)")
            return stated
        self.assumed.append(f"{what} {_words(default)} ({why}; --{option.replace('_', '-')})")
        return default

    def heads(self, option: str, what: str, stated: int | None, width: int, default: int, why: str) -> int:
        """A number of heads as `choose`, if it divides the width.

        Raises:
            ConfigError: it does not.
        """
        heads = self.choose(option, what, stated, default, why)
        if heads < 1 or width % heads:
            raise ConfigError(
                f"--{option.replace('_', '-')} {heads} does not divide the width {width}: give another number"
            )
        return heads

    def normalisation(self, said: Mapping[str, Any], default: tuple[Triple, Triple], why: str) -> dict[str, Any]:
        """`mean` and `std` of a configuration: as `choose`, `said` having three numbers under these keys or not."""
        names = (("mean", "mean"), ("std", "deviation"))
        return {
            key: self.choose(key, what, triple(said.get(key)), usual, why)
            for (key, what), usual in zip(names, default, strict=True)
        }

    def given(self, option: str) -> Any:
        """What the user states for `option`; None: nothing."""
        self.asked.add(option)
        return getattr(self.options, option)

    def check(self, what: str, source: str) -> None:
        """Refuse options that were given for nothing.

        Raises:
            ConfigError: there are some; `what` was converted, and found to be `source`.
        """
        given = (field.name for field in fields(self.options) if getattr(self.options, field.name) is not None)
        if ignored := [f"--{name.replace('_', '-')}" for name in given if name not in self.asked]:
            raise ConfigError(f"{what} is {source}, to which {', '.join(ignored)} does not apply: leave it out")


def triple(values: object) -> Triple | None:
    """Three numbers; None of anything else."""
    if not isinstance(values, list | tuple) or len(values) != 3:
        return None
    r, g, b = map(float, values)
    return r, g, b


def _words(value: object) -> str:
    if isinstance(value, Charset):
        return f"{value.name} ({len(value)} characters)"
    return ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)
