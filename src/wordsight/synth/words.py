"""Rendered words as an endless source of samples."""

import math
import random
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from wordsight.data.sample import Sample
from wordsight.synth.background import Backgrounds
from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import COLUMNS, Drafts, collate
from wordsight.synth.fonts import FontBook, font_index
from wordsight.synth.latin import latin_index
from wordsight.synth.rasterize import rasterize
from wordsight.synth.sampling import sample_parameters
from wordsight.synth.vocabulary import Vocabulary

CHUNK = 64
"""Crops rasterized together on a CPU, so that their pictures stay in its caches."""


class RenderedWords:
    """A source of rendered word crops; sample i is a function of (seed, i), the fonts, word lists, pictures and config.

    Crops are rendered at most as large as `size`, and enlarged if necessary: a model with that input would not see
    more.

    Args:
        count: number of samples; practically endless by default.
        seed: of the words.
        fonts: folders of fonts, searched recursively; None: the system's.
        words: word lists (see `vocabulary.load_words`).
        backgrounds: a folder of pictures for backgrounds; None: procedural ones only.
        config: how often and how strongly each effect occurs.
        size: (height, width) of the model's input, pixels.

    Fonts are opened lazily, so that instances are small to pickle for worker processes.

    Raises:
        DataError: a folder or list is missing or unusable.
    """

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
        folders = [fonts] if isinstance(fonts, str | Path) else fonts
        self.size = size
        self._canvas = (16 * math.ceil(size[0] / 16), 16 * math.ceil(size[1] / 16))
        self._count = count
        self._seed = seed
        self._config = config
        self._faces = latin_index(folders) if config.latin else font_index(folders)
        self._drawn = {" "}.union(*(face.characters for face in self._faces)) if config.latin else frozenset()
        self._vocabulary = Vocabulary(words, config)
        self._backgrounds = Backgrounds(backgrounds)
        self._book: FontBook | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_book": None}

    @property
    def faces(self) -> int:
        """Number of typefaces (font files and weights) in use."""
        return len(self._faces)

    def __len__(self) -> int:
        return self._count

    def text(self, i: int, /) -> str:
        """Label of sample i, without rendering it."""
        text = self._vocabulary.draw(self._generator(i, "text"))
        if text.isascii() or set(text) <= self._drawn:
            return text
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()

    def name(self, i: int, /) -> str:
        """Id of sample i."""
        return f"synth-{self._seed}-{i}"

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i, 0 <= i < len."""
        return self.many([i])[0]

    def many(self, numbers: Sequence[int]) -> list[Sample]:
        """Samples of these numbers: the same as one by one, but several times faster."""
        samples = []
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            drafts = self.drafts(part)
            pixels = rasterize(drafts).to(torch.uint8).permute(0, 2, 3, 1).numpy()
            for i, picture, row in zip(part, pixels, drafts.parameters.numpy(), strict=True):
                rows, columns, high, wide = (
                    int(row[COLUMNS[name]].item()) for name in ("rows", "columns", "high", "wide")
                )
                image = np.ascontiguousarray(picture[:rows, :columns])
                if (rows, columns) != (high, wide):
                    image = np.asarray(Image.fromarray(image).resize((wide, high), Image.Resampling.BICUBIC))
                samples.append(Sample(self.name(i), image, self.text(i), dataset="synth"))
        return samples

    def drafts(self, numbers: Sequence[int]) -> Drafts:
        """Drafts of these samples; `rasterize.images` finishes them, on any device."""
        if self._book is None:
            self._book = FontBook(self._faces)
        drafts = []
        for i in numbers:
            if not 0 <= i < self._count:
                raise IndexError(i)
            rng = self._generator(i, "image")
            drafts.append(
                sample_parameters(rng, self.text(i), self._book, self._backgrounds, self._config, self._canvas)
            )
        return collate(drafts, self._canvas)

    def _generator(self, i: int, part: str) -> random.Random:
        # Python's generator, seeded by a string (through SHA-512): its scalar draws cost a tenth of NumPy's.
        return random.Random(f"{self._seed}/{i}/{part}")
