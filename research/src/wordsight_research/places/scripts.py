"""Words in any script, set in the fonts that can draw them."""

import random
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont, features

from wordsight.errors import DataError
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT, PRINTABLE, Face, font_index, indexed, ink
from wordsight.synth.setting import Line, set_line

_ENOUGH = 60  # faces for one script: looking for more takes longer than it adds
_PROBE = 64  # pixels; the size at which characters are looked at
_OPEN_FONTS = 64
_NOTHING = Line(np.zeros((CAP_HEIGHT, CAP_HEIGHT), np.uint8), CAP_HEIGHT)

Watch = Callable[[Sequence[Path]], Iterable[Path]]


class Hand(Protocol):
    """Sets words."""

    def write(self, rng: random.Random, text: str) -> Line:
        """A word in a face that `rng` chooses, capitals about `CAP_HEIGHT` high."""
        ...


class LatinHand:
    """Sets words of printable ASCII characters. Picklable."""

    def __init__(self, fonts: Sequence[str | Path] | None, watch: Watch = iter) -> None:
        self._book = FontBook(font_index(fonts, watch))

    def write(self, rng: random.Random, text: str) -> Line:
        """See `Hand`."""
        face = self._book.pick(rng, text)
        return (None if face is None else set_line(self._book, face, text)) or _NOTHING


class ScriptHand:
    """Sets words of given characters: whole words at a time, with ligatures, marks and direction if Pillow has Raqm.

    Without Raqm, letters of scripts that join them stand apart.

    Raises:
        DataError: no font can draw one of the words; a folder is not there.
    """

    def __init__(self, words: Iterable[str], fonts: Sequence[str | Path] | None, watch: Watch = iter) -> None:
        texts = sorted(set(words))
        wanted = "".join(sorted({c for text in texts for c in text if _stands_alone(c)}))
        kind = ["script", 1, CAP_HEIGHT, wanted]
        self._faces = indexed(fonts, kind, lambda paths: _able(watch(paths), wanted))
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        sets = [set(face.characters) for face in self._faces]
        self._numbers: dict[str, list[int]] = {}
        for text in texts:
            needed = {c for c in text if _stands_alone(c)}
            self._numbers[text] = [n for n, known in enumerate(sets) if needed <= known]
            if not self._numbers[text]:
                raise DataError(f"no font found that can draw {text!r}: give a folder with one by --fonts")

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_fonts": {}}

    def write(self, rng: random.Random, text: str) -> Line:
        """See `Hand`; of the words that were given."""
        number = rng.choice(self._numbers[text])
        font = self._fonts.get(number)
        if font is None:
            if len(self._fonts) >= _OPEN_FONTS:
                self._fonts.clear()
            engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
            face = self._faces[number]
            font = self._fonts[number] = ImageFont.truetype(face.path, face.size, layout_engine=engine)
        mask, _, top = ink(font, text)
        return _NOTHING if mask is None else Line(mask, -top)


def hand_for(words: Iterable[str], fonts: Sequence[str | Path] | None = None, watch: Watch = iter) -> Hand:
    """Who can write these words, in all their cases.

    Raises:
        DataError: no font can; a folder of `fonts` (None: the system's) is not there.
    """
    given = set(words)
    if all(set(word) <= set(PRINTABLE) for word in given):
        return LatinHand(fonts, watch)
    return ScriptHand(given | {cased for w in given for cased in (w.upper(), w.capitalize())}, fonts, watch)


def _stands_alone(character: str) -> bool:
    """Whether a character is drawn by itself: marks and joiners are not."""
    return unicodedata.category(character) not in ("Mn", "Mc", "Me", "Cf")


def _able(paths: Iterable[Path], wanted: str) -> tuple[Face, ...]:
    """Up to `_ENOUGH` faces that draw half of the wanted characters or more, each with what it draws of them."""
    faces: list[Face] = []
    for path in paths:
        try:
            face = _inspected(path, wanted)
        except (OSError, ValueError, MemoryError, OverflowError):
            continue
        if face is not None:
            faces.append(face)
        if len(faces) >= _ENOUGH:
            break
    return tuple(faces)


def _inspected(path: Path, wanted: str) -> Face | None:
    font = ImageFont.truetype(str(path), _PROBE, layout_engine=ImageFont.Layout.BASIC)
    missing = {mask.tobytes() for c in ("\uffff", "\u0378") if (mask := ink(font, c)[0]) is not None}
    pictures: dict[str, NDArray[np.uint8]] = {}
    for tried, character in enumerate(wanted):
        mask = ink(font, character)[0]
        if mask is not None and mask.tobytes() not in missing:
            pictures[character] = mask
        if tried == 8 and len(pictures) < 3:
            return None  # another script's: spare the rest
    # One picture for many characters is a box or the like; Cyrillic and Latin share some between two.
    counts: dict[bytes, int] = {}
    for mask in pictures.values():
        counts[mask.tobytes()] = counts.get(mask.tobytes(), 0) + 1
    drawn = [c for c, mask in pictures.items() if counts[mask.tobytes()] < 4]
    if len(drawn) < max(1, len(wanted) // 2):
        return None
    size = round(_PROBE * CAP_HEIGHT / median(pictures[c].shape[0] for c in drawn))
    return Face(str(path), min(max(size, 16), 96), "".join(drawn))
