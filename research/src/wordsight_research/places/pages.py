"""Pages of running text: here the scene of a word consists of nothing but other words."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from wordsight.data.scenes import Scene, SceneWord
from wordsight.errors import ConfigError
from wordsight.imaging.geometry import homography, project
from wordsight.synth.background import near
from wordsight.synth.fonts import CAP_HEIGHT
from wordsight_research.places.scenes import photograph
from wordsight_research.places.scripts import Watch, hand_for
from wordsight_research.places.words import WORDS, Vocabularies, draw_word, information

SIZE = (640, 832)
"""Width and height of a page in pixels."""
_MARGIN = 0.09  # of the width
_EDGE = 2  # pixels around a word's ink that belong to its box


class RenderedPages:
    """Pages of lines of words about one place each; page i is a function of (seed, i), the settings and the fonts.

    A page has no look: only its other words tell what it is about. Every page has about 120 words,
    printed in one face, more or less well, and photographed slightly askew. Arguments as of `scenes.RenderedScenes`.

    Raises:
        ConfigError: `informative` or `wear` is out of range.
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
        size: tuple[int, int] = SIZE,
        fonts: Sequence[str | Path] | None = None,
        watch: Watch = iter,
    ) -> None:
        if not 0 <= wear <= 1:
            raise ConfigError(f"wear is {wear}: give a number from 0 to 1")
        self.information = information(vocabularies, informative)
        """Bits of information that a page's topic gives about each of its words."""
        self.count = count
        self.seed = seed
        self.informative = informative
        self.wear = wear
        self.vocabularies = {place: tuple(words) for place, words in vocabularies.items()}
        self.size = size
        self._hand = hand_for((word for words in self.vocabularies.values() for word in words), fonts, watch)

    def __len__(self) -> int:
        return self.count

    def place(self, i: int) -> str:
        """What page i is about."""
        return self._rng(i, "place").choice(list(self.vocabularies))

    def __getitem__(self, i: int) -> Scene:
        """Page i, 0 <= i < len, its picture in memory as a JPEG (`Scene.data`); its id ends with its place."""
        if not 0 <= i < self.count:
            raise IndexError(i)
        place, rng, draws = self.place(i), self._rng(i, "page"), self._rng(i, "words")
        width, height = self.size
        capitals, left = width * rng.uniform(0.023, 0.031), width * _MARGIN
        face = rng.random()  # the same for all words of the page, as far as it can draw them
        plane = Image.new("L", self.size)
        found: list[tuple[str, tuple[float, float, float, float]]] = []
        y, leading, fresh = left, capitals * rng.uniform(2.0, 2.8), True
        while y + 2 * capitals < height - left:
            x = left + (2 * capitals if fresh else 0)
            while True:
                text = draw_word(draws, place, self.vocabularies, self.informative)
                text = text.capitalize() if fresh and text.islower() else text
                mask, rise = self._word(rng, text, face, capitals)
                if x + mask.width > width - left:
                    break
                top = y + capitals - rise
                plane.paste(mask, (round(x), round(top)))
                found.append((text, (x - _EDGE, top - _EDGE, x + mask.width + _EDGE, top + mask.height + _EDGE)))
                x += mask.width + capitals * rng.uniform(0.5, 0.8)
                fresh = rng.random() < 0.1
            y += leading
        return self._printed(i, rng, plane, found)

    def _word(self, rng: random.Random, text: str, face: float, capitals: float) -> tuple[Image.Image, float]:
        """A word as it came out of the printer, blurred and with gaps, and how far it rises above its line, pixels."""
        line = self._hand.write(random.Random(face), text)
        mask = Image.fromarray(line.mask.copy())
        draw = ImageDraw.Draw(mask)
        for _ in range(round(10 * self.wear * rng.random() ** 2)):
            x, y, radius = rng.uniform(0, mask.width), rng.uniform(0, mask.height), rng.uniform(0.1, 0.3) * CAP_HEIGHT
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
        scale = capitals / CAP_HEIGHT
        mask = mask.resize((max(1, round(mask.width * scale)), max(1, round(mask.height * scale))))
        ink = 1 - 0.7 * self.wear * rng.random() ** 2
        blur = 0.12 * capitals * self.wear * rng.random() ** 2
        mask = mask.filter(ImageFilter.GaussianBlur(blur)).point([round(ink * v) for v in range(256)])
        return mask, line.baseline * scale

    def _printed(
        self, i: int, rng: random.Random, plane: Image.Image, found: list[tuple[str, tuple[float, float, float, float]]]
    ) -> Scene:
        """The page on its paper, seen slightly askew."""
        width, height = self.size
        page = Image.new("RGB", self.size, near(rng, (238, 234, 224), 10))
        page.paste(near(rng, (40, 40, 48), 14), None, plane)
        frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
        angle = math.radians(rng.gauss(0, 1.0))
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        seen = (frame - (width / 2, height / 2)) @ turn + (width / 2, height / 2)
        seen += np.array([[rng.gauss(0, 0.006) * width for _ in range(2)] for _ in range(4)])
        back, forth = homography(seen, frame), homography(frame, seen)
        coefficients = tuple((back / back[2, 2]).ravel()[:8].tolist())
        how, smooth = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
        page = page.transform(self.size, how, coefficients, smooth, fillcolor=near(rng, (90, 76, 64), 20))
        words = []
        for text, (x0, y0, x1, y1) in found:
            corners = project(forth, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
            words.append(SceneWord(np.round(corners, 2), text, True))
        name = f"{self.seed}-{i:06d}-{self.place(i)}"
        data = photograph(self._rng(i, "camera"), page)
        return Scene(Path("images") / f"{name}.jpg", tuple(words), name, "pages", data=data)

    def _rng(self, i: int, part: str) -> random.Random:
        return random.Random(f"{self.seed}/{i}/page {part}")
