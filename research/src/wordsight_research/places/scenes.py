"""Scenes of places with several words, for finding out what a scene reveals to a reader about its words.

A place has words of its own and a look of its own. A dial says how often a word is one of its place's; at 0 the place
reveals nothing, and what it reveals is known in bits (`places_words.information`). The look is seen without any word.
"""

import io
import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from wordsight.data.scenes import Scene, SceneWord
from wordsight.errors import ConfigError
from wordsight_research.places.looks import LOOKS, backdrop
from wordsight_research.places.noise import noise
from wordsight_research.places.scripts import Watch, hand_for
from wordsight_research.places.signs import hang_boards, paint_board
from wordsight_research.places.words import WORDS, Vocabularies, draw_word, information

SIZE = (448, 336)
"""Width and height of a scene in pixels."""
_BOARDS = (3, 6)


class RenderedScenes:
    """Scenes of places; scene i is a function of (seed, i), the settings and the fonts.

    Places, looks and boards are the same for every `informative` and `vocabularies`, and for a word nothing but its
    letters differs. Words repeat within a scene as chance has it.

    Args:
        count: how many.
        seed: another seed, other scenes. Training and test scenes want different ones.
        informative: the probability that a word is one of its place's own, else it is any place's.
        wear: from 0, words as good as new, to 1, where every second can hardly be read. The shipped reader, without
            context, read 93, 80, 63, 52 and 46 % of 160 crops at 0, 0.25, 0.5, 0.75 and 1.
        vocabularies: words of every place (`places_words`); a place that has no look gets one that is left over.
        blank: boards stay empty, and labels say what would be written on each. Crops show nothing then, and only what
            the place looks like reveals the word: use `one_word_each` with it.
        size: (width, height) in pixels.
        fonts: folders of fonts, searched recursively; None: the system's.
        watch: may wrap the font files that are looked at the first time, in a progress bar for one.

    Raises:
        ConfigError: `informative` or `wear` is out of range, or there are more places than looks.
        DataError: a folder of fonts is not there, or no font can draw one of the words.
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        *,
        informative: float = 1.0,
        wear: float = 0.5,
        vocabularies: Vocabularies = WORDS,
        blank: bool = False,
        size: tuple[int, int] = SIZE,
        fonts: Sequence[str | Path] | None = None,
        watch: Watch = iter,
    ) -> None:
        if not 0 <= wear <= 1:
            raise ConfigError(f"wear is {wear}: give a number from 0 to 1")
        self.information = information(vocabularies, informative)
        """Bits of information that the place gives about each of its words."""
        self.count = count
        self.seed = seed
        self.informative = informative
        self.wear = wear
        self.vocabularies = {place: tuple(words) for place, words in vocabularies.items()}
        self.blank = blank
        self.size = size
        self._looks = _looks(self.vocabularies)
        self._hand = hand_for((word for words in self.vocabularies.values() for word in words), fonts, watch)

    def __len__(self) -> int:
        return self.count

    def place(self, i: int) -> str:
        """Where scene i is."""
        return self._rng(i, "place").choice(list(self.vocabularies))

    def __getitem__(self, i: int) -> Scene:
        """Scene i, 0 <= i < len, its picture in memory as a JPEG (`Scene.data`); its id ends with its place."""
        return self.render(i, not self.blank)

    def render(self, i: int, written: bool) -> Scene:
        """Scene i with its words or, otherwise the same, with empty boards."""
        if not 0 <= i < self.count:
            raise IndexError(i)
        place = self.place(i)
        picture, areas = backdrop(self._rng(i, "look"), self._looks[place], self.size)
        rng = self._rng(i, "boards")
        boards = hang_boards(rng, rng.randint(*_BOARDS), self.size, areas, self.wear)
        draws = self._rng(i, "words")
        words = []
        for k, board in enumerate(boards):
            style = self._rng(i, f"style {k}")
            text = _cased(style, draw_word(draws, place, self.vocabularies, self.informative))
            polygon = paint_board(picture, board, text, self._hand, style, written)
            words.append(SceneWord(np.round(board.inside if self.blank else polygon, 2), text, True))
        name = f"{self.seed}-{i:06d}-{place}"
        image = Path("images") / f"{name}.jpg"
        data = photograph(self._rng(i, "camera"), picture)
        return Scene(image, tuple(words), name, "places", data=data)

    def _rng(self, i: int, part: str) -> random.Random:
        return random.Random(f"{self.seed}/{i}/{part}")


def _looks(vocabularies: Vocabularies) -> dict[str, str]:
    """For every place the name of its look: its own name if there is such a look, else one that is left over."""
    left = [look for look in LOOKS if look not in vocabularies]
    strange = [place for place in vocabularies if place not in LOOKS]
    if len(strange) > len(left):
        raise ConfigError(f"{len(vocabularies)} places, but only {len(LOOKS)} looks: merge some places")
    return {place: place for place in vocabularies if place in LOOKS} | dict(zip(strange, left, strict=False))


def _cased(rng: random.Random, word: str) -> str:
    """Capitals, Title or small letters, as signs have them; a word that is not all small stays as it is."""
    form = rng.random()
    if not word.islower():
        return word
    return word.upper() if form < 0.5 else word.capitalize() if form < 0.8 else word


def photograph(rng: random.Random, picture: Image.Image) -> bytes:
    """A JPEG of a picture: light, lens and sensor, mild ones, alike for all pictures."""
    picture = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 0.9)))
    gamma, gain = math.exp(rng.gauss(0, 0.15)), min(1.1, math.exp(rng.gauss(-0.05, 0.15)))
    cast = np.array([[math.exp(rng.gauss(0, 0.04))] for _ in range(3)])
    curve = np.clip(255 * gain * cast * np.linspace(0, 1, 256) ** gamma, 0, 255)
    values = noise(rng, np.asarray(picture.point(curve.astype(int).ravel().tolist())), rng.uniform(1, 5))
    buffer = io.BytesIO()
    # Colours at full resolution: else the wall's would bleed into the boards.
    Image.fromarray(values).save(buffer, "JPEG", quality=rng.randint(75, 95), subsampling=0)
    return buffer.getvalue()
