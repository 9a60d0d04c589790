"""Rendered words for fine-tuning: general ones, so that nothing is forgotten, and ones like the user's labels."""

import random
import string
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import LATIN, Face, covering
from wordsight.synth.lines import Chosen
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset

_LIKE_LABELS = 0.5  # share of words modelled on one of the user's labels; the others are the general vocabulary
_WITH_NEW = 0.2  # share of the general words with a new character, if there are any
_SAME_KIND = (string.digits, string.ascii_uppercase, string.ascii_lowercase)


class ReplayWords(RenderedWords):
    """An endless source of rendered words in `charset`; sample i is a function of (seed, i), labels and fonts.

    Half are general words as far as the charset can express them, some with a new character; half are modelled on one
    of `labels`, with other digits and often other letters.

    Args:
        charset: the recognizer's.
        new: those of its characters that the recognizer does not know yet.
        labels: the user's, normalised for `charset`; none: only general words.
        max_length: longest label that the recognizer can write.
        seed: of the words.
        fonts: folders of fonts; None: the system's.
        watch: may wrap the faces that are inspected for further characters, for instance in a progress bar.
        size: (height, width) of the largest crop, pixels.
        enlarged: see `RenderedWords`.

    `undrawable` has the characters of the charset that no typeface can draw, which no rendered word has.
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
        enlarged: bool = True,
    ) -> None:
        super().__init__(seed=seed, fonts=fonts, size=size, enlarged=enlarged)
        if further := set(charset.characters) - {*string.printable, *LATIN}:
            self._book = FontBook(tuple(covering(watch(self._book.faces), further)))
        drawn = {" "}.union(*(face.characters for face in self._book.faces))
        self.undrawable = "".join(c for c in charset.characters if c not in drawn)
        self._charset = charset
        self._new = "".join(c for c in new if c in drawn)
        self._kinds = ["".join(c for c in kind if c in charset.characters) for kind in _SAME_KIND]
        self._labels = [label for label in labels if label and set(label) <= drawn]
        self._max_length = max_length

    def _chosen(self, i: int) -> Chosen:
        rng = self._generator(i, "text")
        texts = (self._draw_text(rng) for _ in range(8))
        fits = (text for text in texts if len(text) <= self._max_length and self._book.able(text))
        return Chosen("street", self._looks["street"], next(fits, ""))

    def _draw_text(self, rng: random.Random) -> str:
        if self._labels and rng.random() < _LIKE_LABELS:
            return _alike(rng, rng.choice(self._labels), self._kinds)
        text = self._charset.adapt(self._charset.normalize(self._texts.draw(rng, "street")))
        if self._new and text and rng.random() < _WITH_NEW:
            place = rng.choice((0, len(text), rng.randrange(len(text) + 1)))
            rest = text[place + rng.randrange(2) :]  # inserted, or instead of the character there
            text = text[:place] + rng.choice(self._new) + rest
        return text


def _alike(rng: random.Random, label: str, kinds: Sequence[str]) -> str:
    """A label with other digits and, in half of the cases, other letters of the same case.

    `kinds` are the digits, capitals and lower-case letters to draw from.
    """
    kinds = kinds if rng.random() < 0.5 else kinds[:1]
    return "".join(next((rng.choice(kind) for kind in kinds if c in kind), c) for c in label)
