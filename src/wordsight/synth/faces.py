"""Faces to set texts in: who can draw a text, which are held out for tests, and their cached glyphs."""

import random
import string
import tomllib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from wordsight.synth.fonts import Face, ink, open_font

_FAMILIES = tomllib.loads(Path(__file__).with_name("families.toml").read_text(encoding="utf-8"))
_HELD_OUT = 6  # one family in six
_SALT = "139"  # puts plain sans, serif, monospaced and Vietnamese faces on both sides
_USUAL = frozenset(string.ascii_letters + string.digits)
_GLYPH_CACHE_BYTES = 256 * 2**20


def held_out(face: Face) -> bool:
    """Whether a face is held out for tests: a sixth of the families, by a hash of the name, look-alikes together."""
    alike = (name for name, parts in _FAMILIES.items() if face.family.startswith(tuple(parts)))
    name = next(alike, face.family[:6])
    return sha256(f"{_SALT} {name}".encode()).digest()[0] % _HELD_OUT == 0


def select_faces(faces: Sequence[Face], held: bool | None) -> tuple[Face, ...]:
    """The faces held out for tests, or the others, or all (None); all if there would be none."""
    kept = tuple(face for face in faces if held is None or held_out(face) == held)
    return kept or tuple(faces)


@dataclass(frozen=True)
class Glyph:
    """A drawn character: its mask cropped to the ink (None for a space), its offset from the pen, the pen's advance."""

    mask: NDArray[np.uint8] | None
    left: int
    top: int
    advance: float

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return 400 + (0 if self.mask is None else self.mask.size)


class FontBook:
    """Numbered faces, of which one that can draw a text is picked, and their glyphs, which are cached up to a limit.

    Files are opened when a glyph is drawn. Pickled, it has no glyphs.
    """

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = tuple(faces)
        self._able: dict[str, int] = defaultdict(int)  # character: a bit for every face
        for number, face in enumerate(self.faces):
            for character in face.characters:
                self._able[character] |= 1 << number
        self._all = self._families(lambda _: True)
        text = self._families(lambda face: face.score >= 0.75)
        display = self._families(lambda face: face.score >= 0.5)
        plain = self._families(_is_plain) or text
        mono = self._families(lambda face: face.mono and face.score >= 0.6)
        self._manners = {
            "any": ((0.7, text), (0.95, display), (1.0, self._all)),
            "plain": ((1.0, plain),),
            "mono": ((1.0, mono or plain),),
        }
        self._glyphs: OrderedDict[tuple[int, str], Glyph] = OrderedDict()
        self._glyph_bytes = 0
        self._known: set[int] = set()

    def __reduce__(self) -> tuple[type["FontBook"], tuple[tuple[Face, ...]]]:
        return FontBook, (self.faces,)

    def _families(self, fits: Callable[[Face], bool]) -> list[list[int]]:
        families: dict[str, list[int]] = {}
        for number, face in enumerate(self.faces):
            if fits(face):
                families.setdefault(face.family, []).append(number)
        return list(families.values())

    def able(self, text: str) -> int:
        """Which faces can draw all characters of a text, one bit each."""
        able = (1 << len(self.faces)) - 1
        for character in {*text} - {" "}:
            able &= self._able.get(character, 0)
        return able

    def pick(self, rng: random.Random, text: str, manner: str = "any") -> int | None:
        """Number of a face that can draw a text, each family with equal probability; None if there is none.

        Args:
            rng: decides.
            text: what it must be able to draw.
            manner: "any" (mostly text faces), "plain" or "mono"; another one if none of these can.
        """
        able, form = self.able(text), rng.random()
        chosen = next(families for below, families in self._manners[manner] if form <= below)
        for families in (chosen, self._all) if able else ():
            for _ in range(6 if families else 0):  # looking at all of them takes longer
                family = rng.choice(families)
                if found := [n for n in family if able >> n & 1]:
                    return rng.choice(found)
            if left := [found for family in families if (found := [n for n in family if able >> n & 1])]:
                return rng.choice(rng.choice(left))
        return None

    def glyph(self, number: int, character: str) -> Glyph:
        """The glyph of a character in face `number`, cached."""
        glyph = self._glyphs.get((number, character))
        return self._draw(number, character) if glyph is None else glyph

    def _draw(self, number: int, character: str) -> Glyph:
        """Draws a character, and letters and digits with the first one of a face: opening the file takes longest."""
        font = open_font(self.faces[number])
        if number not in self._known and character.isascii():
            self._known.add(number)
            for usual in sorted(_USUAL & {*self.faces[number].characters} - {character}):
                self._keep(font, number, usual)
        return self._keep(font, number, character)

    def _keep(self, font: ImageFont.FreeTypeFont, number: int, character: str) -> Glyph:
        glyph = self._glyphs[number, character] = Glyph(*ink(font, character), font.getlength(character))
        self._glyph_bytes += glyph.size
        while self._glyph_bytes > _GLYPH_CACHE_BYTES:
            self._glyph_bytes -= self._glyphs.popitem(last=False)[1].size
        return glyph


def _is_plain(face: Face) -> bool:
    return face.score >= 0.85 and {*"aegikltIL0189.:-"} <= {*face.characters}
