"""Rendered words and lines by kind, from a text and its look to a picture, with their own aspect ratio."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image

from wordsight.data.sample import Sample
from wordsight.errors import ConfigError, DataError
from wordsight.synth.background import Backgrounds
from wordsight.synth.config import RenderConfig
from wordsight.synth.dots_and_segments import displayed, pale, pressed, set_dots, set_segments
from wordsight.synth.draft import Draft, Pixels, painted
from wordsight.synth.faces import FontBook, select_faces
from wordsight.synth.figures import FIGURES
from wordsight.synth.fonts import LATIN, font_index
from wordsight.synth.geometry import View
from wordsight.synth.kinds import KINDS, Texts
from wordsight.synth.languages import check_installed
from wordsight.synth.photograph import photographed
from wordsight.synth.sampling import blank, drafted, letter_height, plane_of, set_as_on_signs
from wordsight.synth.setting import Line

_PLAIN = RenderConfig(
    spaced=0.25, dancing=0.02, heavy=0.2, neighbours=0.2, stacks=0.0, tilted=0.3, steep=0.02, sideways=0.0,
    upside_down=0.0, sheared=0.15, climbing=0.1, perspective=0.15, curved=0.03, circular=0.0, roomy=0.2, outlined=0.03,
    hollow=0.0, shadow=0.05, extruded=0.01, gradient=0.04, textured=0.02, translucent=0.03, faint=0.15, photo=0.2,
    wall=0.12, flat=0.25, shade=0.2, glare=0.03, occluded=0.02, small=0.4, defocus=0.45, motion=0.06, toned=0.5,
    noisy=0.3, jpeg=0.45,
)  # fmt: skip
_CLEAN = replace(
    _PLAIN, spaced=0.1, dancing=0.0, neighbours=0.15, tilted=0.1, steep=0.0, sheared=0.0, climbing=0.0, perspective=0.0,
    curved=0.0, tight=0.03, roomy=0.35, shadow=0.0, extruded=0.0, gradient=0.0, textured=0.0, faint=0.05, photo=0.02,
    wall=0.02, flat=0.92, shade=0.02, glare=0.0, occluded=0.0, defocus=0.15, motion=0.0, toned=0.1, negative=0.0,
    noisy=0.08, sharpened=0.05, jpeg=0.3,
)  # fmt: skip
_SHORT = 18  # characters up to which a text may be curved, steep and so on; longer ones are set plainly
_DRAWN = {"dots", "segments"}
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


LOOKS: Mapping[str, Look] = {
    "street": Look(RenderConfig(roomy=0.05, stacks=0.0), "any"),
    "plain": Look(_PLAIN),
    "clean": Look(_CLEAN),
    "mono": Look(replace(_CLEAN, photo=0.1, flat=0.7, defocus=0.3, noisy=0.2, tilted=0.2), "mono"),
    "pale": Look(_CLEAN, "plain", pale),
    "pressed": Look(
        replace(_PLAIN, small=0.0, photo=0.3, wall=0.3, flat=0.0, spaced=0.4, defocus=0.2, noisy=0.1), "plain", pressed
    ),
    "dots": Look(replace(_PLAIN, small=0.15, heavy=0.0, tight=0.03, flat=0.4, neighbours=0.0), "dots"),
    "segments": Look(replace(_PLAIN, small=0.3, heavy=0.1, tight=0.03, neighbours=0.0, sheared=0.3), "segments"),
}
"""The looks by name."""
_USUAL = {"street": 0.2, "plain": 0.42, "clean": 0.26, "mono": 0.05, "pale": 0.04, "pressed": 0.03}
_TECHNICAL = {"street": 0.08, "plain": 0.35, "clean": 0.25, "mono": 0.27, "pale": 0.02, "pressed": 0.03}
_DRESSED: Mapping[str, Mapping[str, float]] = {
    "street": {"street": 1.0},
    "receipts": {"mono": 0.45, "clean": 0.35, "plain": 0.2},
    "displays": {"segments": 1.0},
    "stamps": {"dots": 0.7, "mono": 0.1, "pressed": 0.1, "plain": 0.1},
    **dict.fromkeys(("numbers", "serials", "dates", "times", "ips", "brackets", "units", "phones"), _TECHNICAL),
}
SHARES: Mapping[str, float] = {
    "street": 0.24, "words": 0.07, "accented": 0.14, "accented_lines": 0.07, "lines": 0.14, "signs": 0.05, "long": 0.04,
    "numbers": 0.03, "serials": 0.02, "dates": 0.015, "times": 0.01, "ips": 0.01, "emails": 0.02, "urls": 0.025,
    "units": 0.025, "brackets": 0.02, "prices": 0.035, "receipts": 0.02, "displays": 0.02, "stamps": 0.02,
    "phones": 0.01,
}  # fmt: skip
"""Default frequencies of the kinds of texts; only their ratios count."""


class RenderedLines:
    """A source of rendered crops; sample i is a function of (seed, i), fonts, lists, pictures, shares and looks.

    Crops keep their aspect ratio and are at most `size` large, mostly smaller.

    Args:
        count: number of samples; practically endless by default.
        seed: of the texts and pictures.
        fonts: folders of fonts, searched recursively; None: the system's.
        words: word lists (see `vocabulary.load_words`).
        backgrounds: a folder of pictures for backgrounds; None: procedural ones only.
        shares: frequencies of the kinds in `kinds.KINDS`; only their ratios count.
        characters: texts with other characters are not drawn.
        looks: a selection of `LOOKS`; each kind has its own shares of them.
        held_out: use the typefaces held out for tests instead of the others; None: all.
        size: (height, width) of the largest crop, pixels.

    Fonts are opened when they are needed, so that instances are small to pickle for worker processes.

    Raises:
        ConfigError: a kind or look is unknown, or all shares are 0; `wordfreq` is not installed.
        DataError: a folder or list is missing or useless.
    """

    source: ClassVar[str] = "lines"
    """With which the ids of samples begin."""
    natural: ClassVar[bool] = True
    """Whether crops that are larger than `size` are scaled down as a whole, not in one direction only."""

    def __init__(
        self,
        count: int = 2**62,
        seed: int = 0,
        fonts: str | Path | Sequence[str | Path] | None = None,
        words: Sequence[str | Path] = (),
        backgrounds: str | Path | None = None,
        shares: Mapping[str, float] = SHARES,
        characters: str = "".join(map(chr, range(0x20, 0x7F))) + LATIN,
        looks: Mapping[str, Look] = LOOKS,
        held_out: bool | None = False,
        size: tuple[int, int] = (48, 1280),
    ) -> None:
        if unknown := {*shares, *looks} - {*KINDS, *LOOKS}:
            raise ConfigError(
                f"no kind or look is called {sorted(unknown)[0]!r}: there are {', '.join((*KINDS, *LOOKS))}"
            )
        if not sum(shares.values()) > 0 or min(shares.values()) < 0:
            raise ConfigError("shares of kinds must be 0 or more, one of them above 0")
        if {*shares} - {*FIGURES, "street"}:
            check_installed()
        self.size, self._enlarged = size, True
        self._count, self._seed = count, seed
        self._kinds, self._weights = list(shares), list(shares.values())
        self._characters = frozenset(characters)
        self._looks = dict(looks)
        folders = [fonts] if isinstance(fonts, str | Path) else fonts
        self._book = FontBook(select_faces(font_index(folders), held_out))
        self._texts = Texts(words, (looks.get("street") or LOOKS["street"]).config)
        self._backgrounds = Backgrounds(backgrounds)

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
        chosen = self._chosen(i)
        image, view = self._photographed(self._generator(i, "image"), *chosen)
        if self._enlarged and (view.columns, view.rows) != (view.wide, view.high):
            image = np.asarray(Image.fromarray(image).resize((view.wide, view.high), Image.Resampling.BICUBIC))
        return Sample(self.name(i), image, chosen.text, dataset=chosen.kind)

    def many(self, numbers: Iterable[int]) -> list[Sample]:
        """Samples of these numbers."""
        return [self[i] for i in numbers]

    def _chosen(self, i: int) -> Chosen:
        if not 0 <= i < self._count:
            raise IndexError(i)
        rng = self._generator(i, "text")
        for _ in range(200):
            kind = rng.choices(self._kinds, self._weights)[0]
            looks = {name: share for name, share in _DRESSED.get(kind, _USUAL).items() if name in self._looks}
            if not looks:
                looks = dict.fromkeys(sorted(self._looks), 1.0)
            name = rng.choices(list(looks), list(looks.values()))[0]
            text = self._texts.draw(rng, kind)
            if name == "street" and len(text) > _SHORT and "plain" in self._looks:
                name = "plain"
            able = not text or self._looks[name].faces in _DRAWN or self._book.able(text)
            if able and set(text) <= self._characters:
                return Chosen(kind, self._looks[name], text)
        raise DataError("no font can draw the requested texts: give more with --fonts, or change the shares")

    def _photographed(self, rng: random.Random, kind: str, look: Look, text: str) -> tuple[Pixels, View]:
        book, config = self._book, look.config
        face = book.pick(rng, text, "plain" if look.faces in _DRAWN else look.faces) if text else None
        line: Line | None = None
        dark, stacked = None, False
        if look.faces == "segments" and (shown := set_segments(rng, text)):
            line, dark = shown.lit, shown.dark
        elif look.faces == "dots":
            line = set_dots(rng, text)
        if line is None and face is not None:
            apart = _spread(rng, text) if kind == "receipts" else text
            line, stacked = set_as_on_signs(rng, book, face, apart, config)
        if line is None:
            return blank(rng, book, self._backgrounds, config, self.size, self.natural)
        mask, box = plane_of(rng, book, face or 0, line, 0.0 if stacked else config.neighbours)
        height, curls = letter_height(rng, len(text), config), len(text) > 3 and not stacked
        whole = height * (len(text) if stacked else 1)
        draft = drafted(rng, mask, box, whole, self._backgrounds, config, self.size, curls, self.natural)
        if dark is not None:
            draft = displayed(rng, draft, plane_of(rng, book, face or 0, dark, 0.0)[0])
        elif look.material:
            draft = look.material(rng, draft)
        return photographed(rng, *painted(draft), draft.view, height, config, draft.contrast), draft.view

    def _generator(self, i: int, part: str) -> random.Random:
        # Python's generator, seeded by a string (through SHA-512): its scalar draws cost a tenth of NumPy's.
        return random.Random(f"{self.name(i)}/{part}")


def _spread(rng: random.Random, text: str) -> str:
    """The row of a receipt with its price apart."""
    parts = _ROW.fullmatch(text)
    return (" " * rng.randint(1, max(1, min(14, 40 - len(text))))).join(parts.groups()) if parts else text
