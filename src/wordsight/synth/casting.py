"""Choosing faces: which can draw a text, by families, and which are kept for tests."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from wordsight.synth.fonts import Face
from wordsight.synth.latin import held_out


class Cast:
    """Picks faces that can draw a text, by families, of those that score well or are monospaced."""

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
        """Which faces draw all characters of a text, a bit for each."""
        able = self._all
        for character in {*text} - {" "}:
            able &= self._able.get(character, 0)
        return able

    def pick(self, rng: random.Random, text: str, manner: str) -> int | None:
        """Number of a face; None if none of this manner draws the text."""
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


def kept(faces: Sequence[Face], held: bool | None) -> tuple[Face, ...]:
    """The faces that are held out for tests, or the others, or all (None); all where there are none of these."""
    kept = tuple(face for face in faces if held is None or held_out(face) == held)
    return kept or tuple(faces)
