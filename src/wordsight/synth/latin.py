"""Faces for Latin text: which letters each really draws, which are held out for tests, and choosing among them."""

import random
import string
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.synth.fonts import CAP_HEIGHT, NO_GLYPH, Face, font_index, identity, indexed, ink, open_font, shape

LETTERS = (
    "".join(c for c in map(chr, range(0xC0, 0x180)) if c.isalpha() and c not in "ĲĳŉſĿŀ")
    + "ƠơƯưȘșȚțẞ"
    + "".join(map(chr, range(0x1EA0, 0x1EFA)))
)
"""Letters beyond ASCII of the Latin languages: Latin-1, Latin Extended-A, Romanian's, Vietnamese's, the capital ß."""
SIGNS = "¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿×÷€™–—…‘’‚“”„•‹›‰№₫₹₺₽₩₴₱₪✓→←↑↓−≤≥≠≈∞Ω√★●′″⅓⅔⅛"
"""Signs beyond ASCII found on price tags, packages, signs and screens."""
LATIN = LETTERS + SIGNS
_VERSION = 2
_LEAST_CORRELATION = 0.3  # with the median of all faces; below it a sign is another picture (hearts, arrows, nothing)
# Families that imitate one another: a test on one of them proves nothing if another was trained on.
_ALIKE = {
    "helvetica": ("nimbus", "texgyre", "freesans", "freeserif", "freemono", "liberation", "arimo", "tinos", "cousine"),
    "dejavu": ("dejavu", "vera", "bitstream", "verana"),
    "lato": ("lato", "carlito"),
    "karla": ("karla", "karmilla"),
    "averia": ("averia",),
    "noto": ("noto", "opensans", "droid"),
    "cm": ("cmu", "lm"),
    "libertine": ("linlibertine", "linbiolinum", "libertin"),
    "inter": ("inter",),
    "rasa": ("rasa", "yrsa"),
    "paratype": ("ptcf", "ptff", "ptmf", "ptnf", "ptsf", "ptzf"),
    "roadgeek": ("rg",),
}
_HELD_OUT = 6  # one family in six
_SALT = "139"  # puts plain sans, serif, monospaced and Vietnamese faces on both sides


def latin_index(folders: Sequence[str | Path] | None = None) -> tuple[Face, ...]:
    """The faces of `font_index`, with the characters of `LATIN` that each can draw and whether it is monospaced.

    Accented letters that a face draws like the bare ones do not count, nor do signs, ASCII included, that look unlike
    those of most other faces. Cached like that index; without the cache, 2,000 files take half a minute more.
    """
    return indexed(folders, ["latin", _VERSION, CAP_HEIGHT, LATIN], lambda _: _extended(font_index(folders)))


def held_out(face: Face) -> bool:
    """Whether a face is held out for tests: a sixth of the families, by a hash of the name, look-alikes together."""
    name = next((name for name, parts in _ALIKE.items() if face.family.startswith(parts)), face.family[:6])
    return sha256(f"{_SALT} {name}".encode()).digest()[0] % _HELD_OUT == 0


def _extended(faces: Sequence[Face]) -> tuple[Face, ...]:
    drawn = [_drawn(face) for face in faces]
    means = {c: _mean(shapes[c] for _, shapes, _ in drawn if c in shapes) for c in string.punctuation + SIGNS}

    def own(face: Face, letters: str, shapes: dict[str, NDArray[np.float16]]) -> str:
        plain = "".join(c for c in face.characters if c.isalnum())
        return plain + letters + "".join(c for c, one in shapes.items() if _alike(one, means[c]))

    return tuple(
        replace(face, characters=own(face, letters, shapes), mono=mono)
        for face, (letters, shapes, mono) in zip(faces, drawn, strict=True)
    )


def _drawn(face: Face) -> tuple[str, dict[str, NDArray[np.float16]], bool]:
    """The letters of `LETTERS` that a face draws, the shapes of its signs, and whether it is monospaced."""
    font = open_font(face)
    masks = {c: ink(font, c)[0] for c in LETTERS + string.ascii_letters}
    missing = {identity(ink(font, c)[0]) for c in NO_GLYPH} | {b""}

    def own(letter: str) -> bool:
        mask, bare = masks[letter], masks.get(unicodedata.normalize("NFD", letter)[0])
        if mask is None or identity(mask) in missing:
            return False
        # Faces that lack a letter draw the bare one instead, or only the accents.
        return bare is None or bare is mask or (identity(bare) != identity(mask) and mask.sum() > 0.85 * bare.sum())

    letters = [c for c in LETTERS if own(c)]
    shapes = {}
    for sign in string.punctuation + SIGNS:
        mask = ink(font, sign)[0]
        known = sign in face.characters or not sign.isascii()
        if known and mask is not None and identity(mask) not in missing:
            shapes[sign] = shape(mask).astype(np.float16)
    mono = len({round(font.getlength(c)) for c in "iMl0."}) == 1
    return "".join(letters), shapes, mono


def _mean(shapes: Iterable[NDArray[np.float16]]) -> NDArray[np.float32] | None:
    stack = [one.astype(np.float32) for one in shapes]
    return np.median(stack, axis=0).astype(np.float32) if len(stack) >= 5 else None


def _alike(one: NDArray[np.float16], mean: NDArray[np.float32] | None) -> bool:
    if mean is None:  # too few faces to know what it usually looks like
        return True
    a, b = one[:-1].astype(np.float32), mean[:-1]
    # A dot or a stroke fills its square, so only its aspect ratio can be compared.
    flat = float(np.linalg.norm(a)) * float(np.linalg.norm(b)) < 0.1
    near = abs(float(one[-1] - mean[-1])) < 0.5
    return near if flat else float(a @ b) > _LEAST_CORRELATION * float(np.linalg.norm(b))


class FacePicker:
    """Picks a face that can draw a text, by family, among faces that score well or are monospaced."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self._able: dict[str, int] = defaultdict(int)  # character: a bit for every face
        for number, face in enumerate(faces):
            for character in face.characters:
                self._able[character] |= 1 << number
        self._all = (1 << len(faces)) - 1
        text, plain = self._families(faces, lambda face: face.score >= 0.75), self._families(faces, _is_plain)
        display, rest = self._families(faces, lambda face: face.score >= 0.5), self._families(faces, lambda _: True)
        mono = self._families(faces, lambda face: face.mono and face.score >= 0.6)
        self._sets = {"any": ((0.7, text), (0.95, display), (1.0, rest)), "plain": ((1.0, plain or text or rest),)}
        self._sets["mono"] = ((1.0, mono or plain or rest),)

    @staticmethod
    def _families(faces: Sequence[Face], fits: Callable[[Face], bool]) -> list[list[int]]:
        families: dict[str, list[int]] = {}
        for number, face in enumerate(faces):
            if fits(face):
                families.setdefault(face.family, []).append(number)
        return list(families.values())

    def able(self, text: str) -> int:
        """Which faces can draw all characters of a text, one bit each."""
        able = self._all
        for character in {*text} - {" "}:
            able &= self._able.get(character, 0)
        return able

    def pick(self, rng: random.Random, text: str, manner: str) -> int | None:
        """Number of a face; None if none of this kind ("any", "plain" or "mono") can draw the text."""
        able, form = self.able(text), rng.random()
        families = next(families for below, families in self._sets[manner] if form <= below)
        for _ in range(6 if able and families else 0):
            family = rng.choice(families)
            if found := [n for n in family if able >> n & 1]:
                return rng.choice(found)
        left = [found for family in families if (found := [n for n in family if able >> n & 1])] if able else []
        return rng.choice(rng.choice(left)) if left else None


def _is_plain(face: Face) -> bool:
    return face.score >= 0.85 and {*"aegikltIL0189.:-"} <= {*face.characters}


def select_faces(faces: Sequence[Face], held: bool | None) -> tuple[Face, ...]:
    """The faces held out for tests, or the others, or all (None); all if there would be none."""
    kept = tuple(face for face in faces if held is None or held_out(face) == held)
    return kept or tuple(faces)
