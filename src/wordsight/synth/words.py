"""Rendered words as an endless source of samples."""

import random
from collections.abc import Sequence
from pathlib import Path

from wordsight.data.sample import Sample
from wordsight.synth.background import Backgrounds
from wordsight.synth.fonts import FontBook, font_index
from wordsight.synth.render import render_word
from wordsight.synth.vocabulary import Vocabulary


class RenderedWords:
    """A source of rendered word crops; sample i is a function of (seed, i), the fonts, word lists and pictures.

    Args:
        count: how many there are; the default never runs out.
        seed: another seed, other words.
        fonts: folders of fonts, searched recursively; None: the system's.
        words: word lists (see `vocabulary.load_words`).
        backgrounds: a folder of pictures to cut backgrounds from; None: procedural ones only.

    Fonts are opened lazily, so that instances are small to pickle for worker processes.

    Raises:
        DataError: a folder or list is missing or useless.
    """

    def __init__(
        self,
        count: int = 2**62,
        seed: int = 0,
        fonts: str | Path | Sequence[str | Path] | None = None,
        words: Sequence[str | Path] = (),
        backgrounds: str | Path | None = None,
    ) -> None:
        folders = [fonts] if isinstance(fonts, str | Path) else fonts
        self._count = count
        self._seed = seed
        self._faces = font_index(folders)
        self._vocabulary = Vocabulary(words)
        self._backgrounds = Backgrounds(backgrounds)
        self._book: FontBook | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_book": None}

    @property
    def faces(self) -> int:
        """How many faces (font files and weights) the words are set in."""
        return len(self._faces)

    def __len__(self) -> int:
        return self._count

    def text(self, i: int, /) -> str:
        """Label of sample i, without rendering it."""
        return self._vocabulary.draw(self._generator(i, "text"))

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i, 0 <= i < len."""
        if not 0 <= i < self._count:
            raise IndexError(i)
        if self._book is None:
            self._book = FontBook(self._faces)
        text = self.text(i)
        image = render_word(self._generator(i, "image"), text, self._book, self._backgrounds)
        return Sample(f"synth-{self._seed}-{i}", image, text, dataset="synth")

    def _generator(self, i: int, part: str) -> random.Random:
        # Python's generator, seeded by a string (through SHA-512): its scalar draws cost a tenth of NumPy's.
        return random.Random(f"{self._seed}/{i}/{part}")
