"""A kind of decoding: the graphs that a recognizer exports for it, their signature, and how they are run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

from wordsight.decoding.arrays import Floats
from wordsight.decoding.context import AnyContext
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.readings import Reading
from wordsight.decoding.signature import Graph, Shape
from wordsight.errors import ConfigError
from wordsight.text import Constraint, Dictionary

Mode: TypeAlias = Literal["adaptive", "full", "visual", "parallel"]


@dataclass(frozen=True)
class Settings:
    """How to read, as far as a kind has a choice.

    Attributes:
        mode: see `read_psm`.
        refine_iters: refinements of `psm`, corrections of `iterative`; None: as in the papers.
        temperature: divides the logits before the softmax of the probabilities; of `ctc`, the log-odds that a word is
            right. It changes no text.
        constraint: what may be read.
        dictionary: words to prefer, without a constraint.
    """

    mode: Mode = "full"
    refine_iters: int | None = None
    temperature: float = 1.0
    constraint: Constraint | None = None
    dictionary: Dictionary | None = None

    @property
    def refinements(self) -> int:
        """Of `psm`."""
        return 1 if self.refine_iters is None else self.refine_iters


class Kind(ABC):
    """A way to decode. There is one object of each kind, shared by models, packs and engines.

    Attributes:
        name: in packs.
        refinements: how often a reading is refined or corrected in the paper.
        made: in words, the outputs that tell a recognizer's sizes.
        has_modes: whether it has every `Mode`.
        constrains: whether it can read under a `Constraint`.
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
            made: the shapes of the outputs of its graphs, which tell its sizes.

        Raises:
            KeyError: one of those is missing.
            ValueError: one of those has another number of dimensions.
        """

    def measure(self, engine: Engine, images: Floats) -> dict[str, Sequence[Shape]]:
        """Shapes of the outputs that `signature` needs, of a recognizer that reads `images`."""
        return {"image": [array.shape for array in engine.run("image", images)]}

    @abstractmethod
    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: AnyContext = None
    ) -> list[Reading]:
        """Reads images (B, 3, H, W). The reading of a row does not depend on the other rows.

        Args:
            engine: runs the recognizer's graphs.
            images: prepared crops.
            spec: the rest of the recognizer.
            settings: how.
            context: the scenes of the crops, of the engine's own kind.
        """

    def check(self, mode: str, refine_iters: int, constrained: bool = False) -> None:
        """Refuses what a recognizer of this kind cannot do.

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
    """Refuses a mode that does not exist, and fewer than no refinements.

    Raises:
        ConfigError: saying what can.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"there is no mode {mode!r}: choose one of {', '.join(get_args(Mode))}")
    if refine_iters < 0:
        raise ConfigError(f"refinements cannot be {refine_iters}: choose 0 or more")
