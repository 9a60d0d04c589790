"""Rendered words and lines by kind, with their own aspect ratio: for recognizers that take any width."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wordsight.errors import ConfigError
from wordsight.synth.config import RenderConfig
from wordsight.synth.dots_and_segments import pale, pressed
from wordsight.synth.draft import Draft, plane
from wordsight.synth.fonts import LATIN
from wordsight.synth.kinds import KINDS, Texts
from wordsight.synth.languages import check_installed
from wordsight.synth.rendered import Chosen, Look, Rendered

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


class RenderedLines(Rendered):
    """A source of rendered words and lines, for models that take any width.

    Crops keep their aspect ratio and are at most `size` large, mostly smaller. Arguments are those of
    `rendered.Rendered`, and:

    Args:
        words: word lists (see `vocabulary.load_words`).
        shares: frequencies of the kinds in `kinds.KINDS`; only their ratios count.
        characters: texts with other characters are not drawn.
        looks: a selection of `LOOKS`; each kind has its own shares of them.

    Raises:
        ConfigError: a kind or look is unknown, or all shares are 0; `wordfreq` is not installed.
        DataError: a folder or list is missing or useless.
    """

    source = "lines"
    natural = True

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
        check_installed()
        super().__init__(count, seed, fonts, backgrounds, size, held_out)
        self._kinds, self._weights = list(shares), list(shares.values())
        self._characters = frozenset(characters)
        self._looks = dict(looks)
        self._texts = Texts(words)

    def _choose(self, rng: random.Random) -> Chosen | None:
        kind = rng.choices(self._kinds, self._weights)[0]
        looks = {name: share for name, share in _DRESSED.get(kind, _USUAL).items() if name in self._looks}
        if not looks:
            looks = dict.fromkeys(sorted(self._looks), 1.0)
        name = rng.choices(list(looks), list(looks.values()))[0]
        text = self._texts.draw(rng, kind)
        if name == "street" and len(text) > _SHORT and "plain" in self._looks:
            name = "plain"
        return Chosen(kind, self._looks[name], text) if set(text) <= self._characters else None

    def _frame(self, draft: Draft) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rounded up to a few sizes, so that a picture does not depend on others in its batch, not even in rounding."""
        high, wide = plane(draft)
        canvas = 16 * math.ceil(draft.parameters.rows / 16), _coarse(int(draft.parameters.columns))
        return canvas, (64 * math.ceil(high / 64), _coarse(wide))


def _coarse(length: int) -> int:
    """A length rounded up, by at most a third above 96."""
    step = max(32, (1 << length.bit_length()) // 4)
    return step * math.ceil(length / step)
