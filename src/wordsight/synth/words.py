"""Rendered words as an endless source of samples."""

import random
from collections.abc import Sequence
from pathlib import Path

from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import Draft, Drafts, collate
from wordsight.synth.kinds import Texts
from wordsight.synth.rendered import Chosen, Look, Rendered

CHUNK = 64
"""Crops rasterized together on a CPU, so that their pictures stay in its caches."""


class RenderedWords(Rendered):
    """A source of rendered word crops, for models with an input of one size.

    Crops are rendered at most as large as `size`, and enlarged if necessary: a model with that input would not see
    more. Arguments are those of `rendered.Rendered`, and:

    Args:
        words: word lists (see `vocabulary.load_words`).
        config: how often and how strongly each effect occurs.
        size: (height, width) of the model's input, pixels.

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
    ) -> None:
        super().__init__(count, seed, fonts, backgrounds, size, held_out=None)
        self._texts = Texts(words, config)
        self._look = Look(config, "any")

    def _choose(self, rng: random.Random) -> Chosen:
        return Chosen("synth", self._look, self._texts.draw(rng, "street"))

    def _frame(self, _: Draft) -> tuple[tuple[int, int], tuple[int, int]]:
        return self._largest, (1, 1)

    def drafts(self, numbers: Sequence[int]) -> Drafts:
        """Drafts of these samples; `rasterize.images` finishes them, on any device."""
        return collate([self._draft(i, self._chosen(i)) for i in numbers], self._largest)
