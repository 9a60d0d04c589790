"""Rendered words for fine-tuning: the general ones, so that nothing is forgotten, and ones like the user's labels."""

import random
import string
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from wordsight.synth.fonts import Face, covering
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset

LIKE_LABELS = 0.5
"""Share of words made after one of the user's labels; the others are the general vocabulary."""
WITH_NEW = 0.2
"""Share of the general words that get a new character put in, where there are any."""

_SAME_KIND = (string.digits, string.ascii_uppercase, string.ascii_lowercase)


class ReplayWords(RenderedWords):
    """An endless source of rendered words in `charset`; sample i is a function of (seed, i), labels and fonts.

    Half are general words as far as the charset can write them, some with a new character put in; half are made after
    one of `labels`: other digits, often other letters, everything else kept.

    Args:
        charset: what the recognizer writes.
        new: those of its characters that it does not know yet.
        labels: the user's, normalised for `charset`; none: general words alone.
        max_length: longest label that the recognizer can write.
        seed: another seed, other words.
        fonts: folders of fonts; None: the system's.
        watch: may wrap the faces that are looked at for further characters, in a progress bar for one.
        size: (height, width) of the largest crop, pixels.

    `undrawable` are the characters of the charset that no face draws: no rendered word has them.
    """

    def __init__(
        self,
        charset: Charset,
        new: str = "",
        labels: Sequence[str] = (),
        max_length: int = 40,
        seed: int = 0,
        fonts: Sequence[str | Path] | None = None,
        watch: Callable[[Sequence[Face]], Iterable[Face]] = iter,
        size: tuple[int, int] = (32, 128),
    ) -> None:
        super().__init__(seed=seed, fonts=fonts, size=size)
        further = set(charset.characters) - {*string.printable}
        if further:
            self._faces = tuple(face for one in watch(self._faces) for face in covering([one], further))
        drawn = {" "}.union(*(face.characters for face in self._faces))
        self.undrawable = "".join(c for c in charset.characters if c not in drawn)
        self._charset = charset
        self._new = "".join(c for c in new if c in drawn)
        self._kinds = ["".join(c for c in kind if c in charset.characters) for kind in _SAME_KIND]
        self._labels = [label for label in labels if label and set(label) <= drawn]
        self._max_length = max_length

    def text(self, i: int, /) -> str:
        """Label of sample i, without rendering it."""
        rng = self._generator(i, "text")
        for _ in range(8):
            text = self._draw_text(rng)
            if len(text) <= self._max_length and any(face.can_draw(text) for face in self._faces):
                return text
        return ""

    def _draw_text(self, rng: random.Random) -> str:
        if self._labels and rng.random() < LIKE_LABELS:
            return _alike(rng, rng.choice(self._labels), self._kinds)
        text = self._charset.adapt(self._charset.normalize(self._vocabulary.draw(rng)))
        if self._new and text and rng.random() < WITH_NEW:
            place = rng.choice((0, len(text), rng.randrange(len(text) + 1)))
            rest = text[place + rng.randrange(2) :]  # in between, or instead of the character there
            text = text[:place] + rng.choice(self._new) + rest
        return text


def _alike(rng: random.Random, label: str, kinds: Sequence[str]) -> str:
    """Other digits; in half of the cases other letters, each in its case; all other characters as they are.

    `kinds` are the digits, capitals and small letters to draw from.
    """
    kinds = kinds if rng.random() < 0.5 else kinds[:1]
    return "".join(next((rng.choice(kind) for kind in kinds if c in kind), c) for c in label)
