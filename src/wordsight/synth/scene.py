"""A rendered street: shop fronts, signs and posters, with the polygons of their words."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from wordsight.data.scenes import SceneWord
from wordsight.imaging.geometry import homography, project
from wordsight.synth.background import Color, luma, near, procedural
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT, font_index, open_font
from wordsight.synth.vocabulary import LISTS

SIZE = (1280, 800)
_WALLS: tuple[Color, ...] = ((168, 96, 78), (190, 176, 150), (120, 124, 130), (205, 196, 182), (142, 112, 92))
_PAINTS: tuple[Color, ...] = (
    (24, 60, 48), (28, 42, 92), (140, 24, 32), (36, 36, 40), (238, 232, 214), (226, 178, 36), (18, 92, 122),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class RenderedScene:
    """A picture, uint8 RGB (H, W, 3), and all its words."""

    image: NDArray[np.uint8]
    words: tuple[SceneWord, ...]


def render_scene(seed: int = 0, fonts: Sequence[str | Path] | None = None) -> RenderedScene:
    """Two shop fronts in a street, 1280 x 800, with 9 to 14 words; a function of the seed and the fonts.

    Raises:
        DataError: `fonts` (folders; None: the system's) does not exist or has no usable font.
    """
    rng = random.Random(f"{seed}/scene")
    street = _Street(rng, FontBook(font_index(fonts)))
    wall = _wall(rng)
    street.picture.paste(wall, (0, 70))
    middle = SIZE[0] // 2 + rng.randint(-60, 60)
    shops, posters = rng.sample(LISTS["shops"], 2), rng.sample(LISTS["posters"], 4)
    for k, (left, right) in enumerate(((40, middle - 20), (middle + 20, SIZE[0] - 40))):
        street.shop(left, right, shops[k], posters[2 * k : 2 * k + 2])
    street.panel(rng.choice(LISTS["streets"]), (middle - 420, 130, middle - 130, 200), (22, 58, 110), 34)
    street.blade(rng.choice(LISTS["blades"]), middle)
    return street.photograph()


def _wall(rng: random.Random) -> Image.Image:
    """A brick or plaster wall down to the pavement."""
    width, height = SIZE[0], SIZE[1] - 70
    color = rng.choice(_WALLS)
    wall = Image.new("RGB", (width, height), color)
    draw = ImageDraw.Draw(wall)
    if rng.random() < 0.7:
        for row, y in enumerate(range(0, height, 18)):
            for x in range(-(row % 2) * 22, width, 44):
                draw.rectangle((x + 1, y + 1, x + 42, y + 16), fill=near(rng, color, 5))
    draw.rectangle((0, height - 90, width, height), fill=(126, 124, 120))
    draw.line((0, height - 90, width, height - 90), fill=(70, 68, 66), width=5)
    return wall


class _Street:
    """The picture while it is painted, and the boxes of its words."""

    def __init__(self, rng: random.Random, book: FontBook) -> None:
        self.rng, self.book = rng, book
        sky = Image.frombytes("RGB", (1, 2), bytes((150, 186, 222, 214, 226, 236)))
        self.picture = sky.resize(SIZE, Image.Resampling.BICUBIC)
        self.draw = ImageDraw.Draw(self.picture)
        self.words: list[tuple[str, tuple[int, int, int, int]]] = []

    def write(self, text: str, box: tuple[int, int, int, int], color: Color, tallest: int = 74) -> None:
        """Writes a line of words into the centre of a box, as large as fits; capitals of at most `tallest` pixels."""
        face = self.book.faces[self.book.pick(self.rng, text, "plain") or 0]
        wide, high = box[2] - box[0], box[3] - box[1]
        cap = min(tallest, int(high * 0.55))
        font = open_font(replace(face, size=round(face.size * cap / CAP_HEIGHT)))
        while cap > 8 and font.getlength(text) > 0.9 * wide:
            cap -= 2
            font = open_font(replace(face, size=round(face.size * cap / CAP_HEIGHT)))
        x = box[0] + (wide - font.getlength(text)) / 2
        baseline = (box[1] + box[3] + cap) // 2
        for word in text.split(" "):
            self.draw.text((x, baseline), word, fill=color, font=font, anchor="ls")
            x0, y0, x1, y1 = self.draw.textbbox((x, baseline), word, font=font, anchor="ls")
            self.words.append((word, (int(x0) - 2, int(y0) - 2, int(x1) + 3, int(y1) + 3)))
            x += font.getlength(word + " ")

    def panel(self, text: str, box: tuple[int, int, int, int], paint: Color, tallest: int = 74) -> None:
        """A painted board with a border and words on it."""
        bright = luma(paint) > 128
        self.draw.rectangle((box[0] + 5, box[1] + 6, box[2] + 5, box[3] + 6), fill=(58, 54, 52))
        self.draw.rectangle(box, fill=paint, outline=near(self.rng, paint, 30), width=4)
        self.write(text, box, near(self.rng, (28, 28, 34) if bright else (246, 242, 230), 8), tallest)

    def shop(self, left: int, right: int, name: str, posters: Sequence[str]) -> None:
        """A fascia with the name, a window with posters, a door."""
        paint = self.rng.choice(_PAINTS)
        self.draw.rectangle((left, 290, right, SIZE[1] - 90), fill=near(self.rng, paint, 12))
        self.panel(name, (left - 10, 270, right + 10, 375), paint)
        door = right - 150
        for x0, x1 in ((left + 25, door - 25), (door, right - 25)):
            glass = procedural(self.rng, (x1 - x0, 285), (62, 78, 88)).filter(ImageFilter.GaussianBlur(9))
            self.picture.paste(glass, (x0, 400))
            self.draw.rectangle((x0, 400, x1, 684), outline=(232, 228, 220), width=5)
        half = (door - 50 - left - 25) // 2
        for k, poster in enumerate(posters):
            x = left + 45 + k * (half + 5)
            y = 430 + self.rng.randint(0, 90)
            self.panel(poster, (x, y, x + half - 25, y + self.rng.randint(80, 110)), self.rng.choice(_PAINTS), 44)

    def blade(self, text: str, middle: int) -> None:
        """A sign that projects from the wall."""
        x = middle + self.rng.randint(120, 320)
        self.draw.rectangle((x - 12, 120, x - 4, 235), fill=(40, 40, 42))
        self.panel(text, (x, 130, x + 220, 220), self.rng.choice(_PAINTS), 48)

    def photograph(self) -> RenderedScene:
        """The street seen from slightly to one side, with light and a lens, and its words projected likewise."""
        width, height = SIZE
        # The part of the street in the picture: a trapezoid, whose higher side is farther away.
        left, right = self.rng.sample((5, self.rng.randint(20, 70)), 2)
        part = np.array(
            [[12, left], [width - 12, right], [width - 12, height - 0.6 * right], [12, height - 0.6 * left]]
        )
        frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
        inverse, forward = homography(frame, part), homography(part, frame)
        coefficients = tuple((inverse / inverse[2, 2]).ravel()[:8].tolist())
        seen = self.picture.transform(SIZE, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
        light = Image.frombytes("L", (3, 2), bytes(self.rng.randint(190, 255) for _ in range(6)))
        shade = np.asarray(light.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float32)[..., None] / 255
        image = np.asarray(seen.filter(ImageFilter.GaussianBlur(0.7)), dtype=np.float32) * shade
        words = []
        for text, (x0, y0, x1, y1) in self.words:
            corners = project(forward, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64))
            words.append(SceneWord(corners.round(1), text, legible=True))
        return RenderedScene(image.astype(np.uint8), tuple(words))
