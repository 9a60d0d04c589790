"""Rendered words as an endless source of samples, for recognizers with an input of one size."""

from collections.abc import Sequence
from pathlib import Path

from wordsight.synth.config import RenderConfig
from wordsight.synth.lines import Look, RenderedLines


class RenderedWords(RenderedLines):
    """A source of rendered word crops: the kind "street", in one look and in all typefaces.

    Crops are rendered at most as large as `size`, since a model with that input would not see more. Arguments are those
    of `lines.RenderedLines`, and:

    Args:
        config: which texts, and how often and how strongly each effect occurs.
        size: (height, width) of the model's input, pixels.
        enlarged: enlarge what is larger than that to its own size and shape; training leaves it as it is.

    Raises:
        DataError: a folder or list is missing or unusable.
    """

    source = "synth"
    natural = False

    def __init__(
        self,
        count: int = 2**62,
        seed: int = 0,
        fonts: str | Path | Sequence[str | Path] | None = None,
        words: Sequence[str | Path] = (),
        backgrounds: str | Path | None = None,
        config: RenderConfig = RenderConfig(),  # noqa: B008 frozen
        size: tuple[int, int] = (32, 128),
        enlarged: bool = True,
    ) -> None:
        look = Look(config, "any")
        super().__init__(
            count, seed, fonts, words, backgrounds, {"street": 1.0}, looks={"street": look}, held_out=None, size=size
        )
        self._enlarged = enlarged
