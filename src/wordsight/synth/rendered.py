"""What sources of rendered crops have in common, of words and of lines: from a text and its look to a picture."""

import math
import random
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from PIL import Image

from wordsight.data.sample import Sample
from wordsight.errors import DataError
from wordsight.synth.background import Backgrounds
from wordsight.synth.config import RenderConfig
from wordsight.synth.dots_and_segments import displayed, set_dots, set_segments
from wordsight.synth.draft import Draft, Pixels, collate
from wordsight.synth.faces import FontBook, select_faces
from wordsight.synth.fonts import font_index
from wordsight.synth.rasterize import rasterize
from wordsight.synth.sampling import blank, painted, plane_of, set_as_on_signs
from wordsight.synth.setting import Line

_DRAWN = {"dots", "segments"}
_PIXELS = 64 * 48 * 192  # of a batch that is rasterized together: it stays in the caches of a CPU
_ROW = re.compile(r"(.+?) (\S*\d+[.,]\d\d\b.*)")


@dataclass(frozen=True)
class Look:
    """How a text is set and photographed.

    Attributes:
        config: see `RenderConfig`.
        faces: "any", "plain" or "mono" fonts; "dots" and "segments" are drawn.
        material: applied to the finished draft.
    """

    config: RenderConfig
    faces: str = "plain"
    material: Callable[[random.Random, Draft], Draft] | None = None


class Chosen(NamedTuple):
    """What a crop will show: the kind of its text, its look, and the text."""

    kind: str
    look: Look
    text: str


class Rendered(ABC):
    """A source of rendered crops; sample i is a function of (seed, i), the fonts, word lists, pictures and settings.

    Args:
        count: number of samples; practically endless by default.
        seed: of the texts and pictures.
        fonts: folders of fonts, searched recursively; None: the system's.
        backgrounds: a folder of pictures for backgrounds; None: procedural ones only.
        size: (height, width) of the largest crop, pixels.
        held_out: use the typefaces held out for tests instead of the others; None: all.

    Fonts are opened when they are needed, so that instances are small to pickle for worker processes.

    Raises:
        DataError: a folder is missing or unusable.
    """

    source: ClassVar[str]
    """Name of the source, with which the ids of its samples begin."""
    natural: ClassVar[bool]
    """Whether crops that are larger than `size` are scaled down as a whole, not in one direction only."""

    def __init__(
        self,
        count: int,
        seed: int,
        fonts: str | Path | Sequence[str | Path] | None,
        backgrounds: str | Path | None,
        size: tuple[int, int],
        held_out: bool | None,
    ) -> None:
        folders = [fonts] if isinstance(fonts, str | Path) else fonts
        self.size = size
        self._largest = (
            size if self.natural else (16 * math.ceil(size[0] / 16), 16 * math.ceil(size[1] / 16))
        )  # for JPEG
        self._count, self._seed = count, seed
        self._book = FontBook(select_faces(font_index(folders), held_out))
        self._backgrounds = Backgrounds(backgrounds)

    @abstractmethod
    def _choose(self, rng: random.Random) -> Chosen | None:
        """Kind, look and text of a sample; asked again if this is None, or if no face can draw the text."""

    @abstractmethod
    def _frame(self, draft: Draft) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns of the canvas with which a draft is rasterized, and the least ones of its masks."""

    def __len__(self) -> int:
        return self._count

    @property
    def faces(self) -> int:
        """Number of typefaces (font files and weights) in use."""
        return len(self._book.faces)

    def name(self, i: int, /) -> str:
        """Id of sample i."""
        return f"{self.source}-{self._seed}-{i}"

    def kind(self, i: int, /) -> str:
        """Which kind of text sample i is."""
        return self._chosen(i).kind

    def text(self, i: int, /) -> str:
        """Label of sample i, without rendering it."""
        return self._chosen(i).text

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i, 0 <= i < len."""
        return self.many([i])[0]

    def many(self, numbers: Sequence[int]) -> list[Sample]:
        """Samples of these numbers: the same as one by one, but several times faster; some hundreds at a time."""
        chosen = [self._chosen(i) for i in numbers]
        drafts = [self._draft(i, each) for i, each in zip(numbers, chosen, strict=True)]
        groups: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = defaultdict(list)
        for place, draft in enumerate(drafts):
            groups[self._frame(draft)].append(place)
        images: dict[int, Pixels] = {}
        for (canvas, least), places in groups.items():
            step = max(1, _PIXELS // (canvas[0] * canvas[1]))
            for start in range(0, len(places), step):
                some = places[start : start + step]
                pixels = rasterize(collate([drafts[place] for place in some], canvas, least))
                for place, picture in zip(some, pixels.to(torch.uint8).permute(0, 2, 3, 1).numpy(), strict=True):
                    images[place] = _cut(picture, drafts[place])
        return [
            Sample(self.name(i), images[place], text, dataset=kind)
            for place, (i, (kind, _, text)) in enumerate(zip(numbers, chosen, strict=True))
        ]

    def _chosen(self, i: int) -> Chosen:
        if not 0 <= i < self._count:
            raise IndexError(i)
        rng = self._generator(i, "text")
        for _ in range(200):
            chosen = self._choose(rng)
            if chosen and (not chosen.text or chosen.look.faces in _DRAWN or self._book.able(chosen.text)):
                return chosen
        raise DataError("no font can draw the requested texts: give more with --fonts, or change the shares")

    def _draft(self, i: int, chosen: Chosen) -> Draft:
        rng, book, (kind, look, text) = self._generator(i, "image"), self._book, chosen
        face = book.pick(rng, text, "plain" if look.faces in _DRAWN else look.faces) if text else None
        line: Line | None = None
        dark, stacked = None, False
        if look.faces == "segments" and (shown := set_segments(rng, text)):
            line, dark = shown.lit, shown.dark
        elif look.faces == "dots":
            line = set_dots(rng, text)
        if line is None and face is not None:
            apart = _spread(rng, text) if kind == "receipts" else text
            line, stacked = set_as_on_signs(rng, book, face, apart, look.config)
        if line is None:
            return blank(rng, book, self._backgrounds, look.config, self._largest, self.natural)
        mask, box = plane_of(rng, book, face or 0, line, 0.0 if stacked else look.config.neighbours)
        draft = painted(rng, mask, box, len(text), self._backgrounds, look.config, self._largest, stacked, self.natural)
        if dark is not None:
            return displayed(rng, draft, plane_of(rng, book, face or 0, dark, 0.0)[0])
        return look.material(rng, draft) if look.material else draft

    def _generator(self, i: int, part: str) -> random.Random:
        # Python's generator, seeded by a string (through SHA-512): its scalar draws cost a tenth of NumPy's.
        return random.Random(f"{self.name(i)}/{part}")


def _spread(rng: random.Random, text: str) -> str:
    """The row of a receipt with its price apart."""
    parts = _ROW.fullmatch(text)
    return (" " * rng.randint(1, max(1, min(14, 40 - len(text))))).join(parts.groups()) if parts else text


def _cut(picture: Pixels, draft: Draft) -> Pixels:
    """A crop of its own size from its canvas: enlarged if it is larger than what a model would see of it."""
    params = draft.parameters
    rows, columns, high, wide = (int(v) for v in (params.rows, params.columns, params.high, params.wide))
    image = np.ascontiguousarray(picture[:rows, :columns])
    if (rows, columns) != (high, wide):
        image = np.asarray(Image.fromarray(image).resize((wide, high), Image.Resampling.BICUBIC))
    return image
