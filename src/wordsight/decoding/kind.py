"""What a kind of decoding is: the graphs that a recognizer needs for it, their signature, and how they are run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from wordsight.decoding.arrays import Floats
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.readings import Reading
from wordsight.decoding.signature import Graph, Shape
from wordsight.errors import ConfigError
from wordsight.text import Constraint, Dictionary

Mode: TypeAlias = Literal["adaptive", "full", "visual", "parallel"]


@dataclass(frozen=True)
class Passes:
    """How often each graph ran for a batch; rows that were finished had left by then."""

    visual: int
    cross: int
    text: int

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(self.visual + other.visual, self.cross + other.cross, self.text + other.text)


@dataclass(frozen=True)
class Settings:
    """How to read, for kinds that have a choice.

    Attributes:
        mode: see `read_psm`.
        refine_iters: refinements of `psm`, corrections of `iterative`; None: as in the papers.
        temperature: divides the logits before the softmax of the probabilities.
        constraint: what may be read.
        dictionary: what is likelier to be read, without a constraint.
    """

    mode: Mode = "full"
    refine_iters: int | None = None
    temperature: float = 1.0
    constraint: Constraint | None = None
    dictionary: Dictionary | None = None


class Kind(ABC):
    """A way from an image to its text. There is one object of each, shared by models, packs and engines.

    Attributes:
        name: in packs.
        refinements: how often a reading is refined or corrected in the paper.
        made: the outputs of a graph that say how large a recognizer is, in words.
        has_modes: whether every `Mode` is understood.
        constrains: whether it reads under a `Constraint`.
        has_margins: whether `Reading.margin` says how sure a text is, so that an int8 image graph may go first.
    """

    name: ClassVar[str]
    refinements: ClassVar[int] = 0
    made: ClassVar[str]
    has_modes: ClassVar[bool] = False
    constrains: ClassVar[bool] = False
    has_margins: ClassVar[bool] = False

    @abstractmethod
    def signature(
        self, images: Shape, classes: int, positions: int, made: Mapping[str, Sequence[Shape]]
    ) -> dict[str, Graph]:
        """The graphs of a recognizer, by name.

        Args:
            images: ("batch", 3, H, W); W is a name where the width may vary.
            classes: [E] and the characters.
            positions: characters of the longest word, and [E].
            made: the outputs of its graphs, of which some say how large it is.

        Raises:
            KeyError: one of those is missing.
            ValueError: one of those has another number of dimensions.
        """

    def measure(self, engine: Engine, images: Floats) -> dict[str, Sequence[Shape]]:
        """Shapes of the outputs that `signature` needs, of a recognizer that reads `images`."""
        return {"image": [array.shape for array in engine.run("image", images)]}

    @abstractmethod
    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: Any = None
    ) -> tuple[list[Reading], Passes | None]:
        """Reads images (B, 3, H, W); what a row reads does not depend on the other rows.

        Args:
            engine: runs the recognizer's graphs.
            images: prepared crops.
            spec: the rest of the recognizer.
            settings: how.
            context: the scenes of the crops, of the engine's own kind.

        Returns:
            The readings; and how often each graph of a `psm` recognizer ran, where it read freely.
        """

    def check(self, mode: str, refine_iters: int, constrained: bool = False) -> None:
        """Refuse what a recognizer of this kind cannot be told to do.

        Raises:
            ConfigError: saying what it can.
        """
        check_mode(mode, refine_iters)
        if not self.has_modes and mode not in ("adaptive", "full"):
            raise ConfigError(
                f"mode {mode!r} is for PARSeq and CLIP4STR, this model decodes by {self.name!r}: choose full"
            )
        if constrained and not self.constrains:
            raise ConfigError(
                "constraints are for models that decode by 'psm' or 'ctc', this one does by "
                f"{self.name!r}: leave them out"
            )


def check_mode(mode: str, refine_iters: int) -> None:
    """Refuse what cannot be decoded by.

    Raises:
        ConfigError: saying what can.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"there is no mode {mode!r}: choose one of {', '.join(get_args(Mode))}")
    if refine_iters < 0:
        raise ConfigError(f"refinements cannot be {refine_iters}: choose 0 or more")
