"""Rendered words and lines by kind, with their own aspect ratio: for recognizers that take any width."""

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from wordsight.data.sample import Sample
from wordsight.errors import ConfigError, DataError
from wordsight.synth.background import Backgrounds
from wordsight.synth.config import RenderConfig
from wordsight.synth.dots_and_segments import displayed, pale, pressed, set_dots, set_segments
from wordsight.synth.draft import Draft, collate, plane
from wordsight.synth.fonts import CAP_HEIGHT, FontBook
from wordsight.synth.kinds import KINDS, Texts
from wordsight.synth.languages import Languages
from wordsight.synth.latin import LATIN, FacePicker, latin_index, select_faces
from wordsight.synth.rasterize import rasterize
from wordsight.synth.sampling import blank, painted, plane_of
from wordsight.synth.setting import Line, set_line
from wordsight.synth.vocabulary import Vocabulary

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


LOOKS: Mapping[str, Look] = {
    "street": Look(RenderConfig(roomy=0.05), "any"),
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
    """A source of rendered words and lines; sample i is a function of (seed, i), fonts, lists, pictures and shares.

    Crops keep their aspect ratio and are at most `size` large, mostly smaller. Arguments are those of
    `words.RenderedWords`, and:

    Args:
        shares: frequencies of the kinds in `kinds.KINDS`; only their ratios count.
        characters: texts with other characters are not drawn.
        looks: a selection of `LOOKS`; each kind has its own shares of them.
        held_out: use the typefaces held out for tests instead of the others; None: all.
        size: (height, width) of the largest crop, pixels.

    Raises:
        ConfigError: a kind or look is unknown, or all shares are 0; `wordfreq` is not installed.
        DataError: a folder or list is missing or useless.
    """

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
        folders = [fonts] if isinstance(fonts, str | Path) else fonts
        self.size = size
        self._count, self._seed = count, seed
        self._kinds, self._weights = list(shares), list(shares.values())
        self._characters = frozenset(characters)
        self._looks = dict(looks)
        self._faces = select_faces(latin_index(folders), held_out)
        self._texts = Texts(Vocabulary(words), Languages())
        self._backgrounds = Backgrounds(backgrounds)
        self._open: tuple[FontBook, FacePicker] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": None}

    def __len__(self) -> int:
        return self._count

    @property
    def faces(self) -> int:
        """Number of typefaces (font files and weights) in use."""
        return len(self._faces)

    def kind(self, i: int, /) -> str:
        """Which kind of text sample i is."""
        return self._chosen(i)[0]

    def text(self, i: int, /) -> str:
        """Label of sample i, without rendering it."""
        return self._chosen(i)[2]

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i, 0 <= i < len."""
        return self.many([i])[0]

    def many(self, numbers: Sequence[int]) -> list[Sample]:
        """Samples of these numbers, the same as one by one but several times faster: some hundreds at a time."""
        chosen = [self._chosen(i) for i in numbers]
        drafts = [self._draft(i, *each) for i, each in zip(numbers, chosen, strict=True)]
        groups: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = defaultdict(list)
        for place, draft in enumerate(drafts):
            groups[_sizes(draft)].append(place)
        images: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {}
        for (canvas, least), places in groups.items():
            step = max(1, _PIXELS // (canvas[0] * canvas[1]))
            for start in range(0, len(places), step):
                some = places[start : start + step]
                pixels = rasterize(collate([drafts[place] for place in some], canvas, least))
                for place, picture in zip(some, pixels.to(torch.uint8).permute(0, 2, 3, 1).numpy(), strict=True):
                    params = drafts[place].parameters
                    images[place] = np.ascontiguousarray(picture[: int(params.rows), : int(params.columns)])
        return [
            Sample(f"lines-{self._seed}-{i}", images[place], text, dataset=kind)
            for place, (i, (kind, _, text)) in enumerate(zip(numbers, chosen, strict=True))
        ]

    def _chosen(self, i: int) -> tuple[str, str, str]:
        """Kind, look and text of sample i."""
        if not 0 <= i < self._count:
            raise IndexError(i)
        rng = self._generator(i, "text")
        picker = self._opened()[1]
        for _ in range(200):
            kind = rng.choices(self._kinds, self._weights)[0]
            looks = {name: share for name, share in _DRESSED.get(kind, _USUAL).items() if name in self._looks}
            if not looks:
                looks = dict.fromkeys(sorted(self._looks), 1.0)
            name = rng.choices(list(looks), list(looks.values()))[0]
            text = self._texts.draw(rng, kind)
            if name == "street" and len(text) > _SHORT and "plain" in self._looks:
                name = "plain"
            if set(text) <= self._characters and (self._looks[name].faces in _DRAWN or not text or picker.able(text)):
                return kind, name, text
        raise DataError("no font can draw the requested texts: give more with --fonts, or change the shares")

    def _draft(self, i: int, kind: str, name: str, text: str) -> Draft:
        rng, look = self._generator(i, "image"), self._looks[name]
        book, picker = self._opened()
        if not text:
            return blank(rng, book, self._backgrounds, look.config, self.size, natural=True)
        dark = None
        if look.faces == "segments" and (shown := set_segments(rng, text)):
            line: Line | None = Line(shown.lit, shown.lit.shape[0])
            dark = Line(shown.dark, shown.dark.shape[0])
        else:
            line = set_dots(rng, text) if look.faces == "dots" else None
        config, face = look.config, 0
        if line is None:
            manner = look.faces if look.faces not in _DRAWN else "plain"
            picked = picker.pick(rng, text, manner)
            face = picker.pick(rng, text, "any") or 0 if picked is None else picked
            line = _line(rng, text, book, face, config, kind == "receipts")
        if line is None:
            return blank(rng, book, self._backgrounds, config, self.size, natural=True)
        mask, box = plane_of(rng, book, face, line, config.neighbours)
        draft = painted(rng, mask, box, len(text), self._backgrounds, config, self.size, natural=True)
        if dark is not None:
            return displayed(rng, draft, plane_of(rng, book, face, dark, 0.0)[0])
        return look.material(rng, draft) if look.material else draft

    def _opened(self) -> tuple[FontBook, FacePicker]:
        if self._open is None:
            self._open = FontBook(self._faces), FacePicker(self._faces)
        return self._open

    def _generator(self, i: int, part: str) -> random.Random:
        return random.Random(f"lines/{self._seed}/{i}/{part}")


_DRAWN = {"dots", "segments"}
_PIXELS = 64 * 48 * 192  # of a batch that is rasterized together: it stays in the caches of a CPU


def _sizes(draft: Draft) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of the canvas and of the masks with which a draft is rasterized, rounded up to a few sizes.

    So a picture does not depend on others in its batch, not even in rounding.
    """
    high, wide = plane(draft)
    canvas = 16 * math.ceil(draft.parameters.rows / 16), _coarse(int(draft.parameters.columns))
    return canvas, (64 * math.ceil(high / 64), _coarse(wide))


def _coarse(length: int) -> int:
    """A length rounded up, by at most a third above 96."""
    step = max(32, (1 << length.bit_length()) // 4)
    return step * math.ceil(length / step)


_ROW = re.compile(r"(.+?) (\S*\d+[.,]\d\d\b.*)")


def _line(rng: random.Random, text: str, book: FontBook, face: int, config: RenderConfig, row: bool) -> Line | None:
    """Sets a text; in the `row` of a receipt the price stands apart."""
    spacing, gap = 0.0, 0.0
    if rng.random() < config.spaced:
        tight = rng.random() < 0.75 or len(text) > 30
        spacing = CAP_HEIGHT * (rng.uniform(-0.06, 0.12) if tight else rng.uniform(0.1, 0.6))
        # Words are about as far apart as a letter n is wide, and farther if letters are.
        gap = max(0.0, spacing) * rng.uniform(0.6, 1.2) + CAP_HEIGHT * rng.uniform(-0.06, 0.25)
    if row and (parts := _ROW.fullmatch(text)):
        text = (" " * rng.randint(1, max(1, min(14, 40 - len(text))))).join(parts.groups())
    jitter = rng.uniform(0.5, 1.5) if rng.random() < config.dancing else 0.0
    return set_line(book, face, text, spacing, jitter, rng, gap)
