"""A brush for pictures in shares of their sides, with surfaces that many places are made of."""

import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from wordsight.synth.background import Color, near

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture's width and height."""


class Brush:
    """Paints on a picture of (width, height) pixels. All places and sizes are shares of its sides."""

    def __init__(self, rng: random.Random, size: tuple[int, int]) -> None:
        self.rng = rng
        self.width, self.height = size
        self.picture = Image.new("RGB", size)
        self.draw = ImageDraw.Draw(self.picture)

    def pick(self, *colors: Color) -> Color:
        """One of the colours, never twice quite the same."""
        return near(self.rng, self.rng.choice(colors), 10)

    def between(self, low: float, high: float) -> float:
        """A random number."""
        return self.rng.uniform(low, high)

    def _pixels(self, box: Sequence[float]) -> list[float]:
        return [v * (self.height if k % 2 else self.width) for k, v in enumerate(box)]

    def _thick(self, share: float) -> int:
        return max(1, round(share * self.height))

    def box(self, box: Box, fill: Color | None, rim: Color | None = None, thick: float = 0.01) -> None:
        """A rectangle."""
        x0, y0, x1, y1 = self._pixels(box)
        if x1 >= x0 and y1 >= y0:
            self.draw.rectangle((x0, y0, x1, y1), fill, rim, self._thick(thick))

    def oval(self, x: float, y: float, radius: float, fill: Color | None, rim: Color | None = None,
             thick: float = 0.01, wide: float = 1.0) -> None:  # fmt: skip
        """A disc around (x, y) with `radius` a share of the height, `wide` times as wide as high."""
        x, y, radius = x * self.width, y * self.height, radius * self.height
        spot = (x - wide * radius, y - radius, x + wide * radius, y + radius)
        self.draw.ellipse(spot, fill, rim, self._thick(thick))

    def line(self, points: Sequence[float], fill: Color, thick: float) -> None:
        """A line through x0, y0, x1, y1, ..."""
        self.draw.line(self._pixels(points), fill, self._thick(thick))

    def shape(self, points: Sequence[float], fill: Color) -> None:
        """A polygon of x0, y0, x1, y1, ..."""
        self.draw.polygon(self._pixels(points), fill)

    def fade(self, box: Box, above: Color, below: Color) -> None:
        """A surface that goes over from one colour to another."""
        x0, y0, x1, y1 = (round(v) for v in self._pixels(box))
        cells = Image.frombytes("RGB", (1, 2), bytes((*above, *below)))
        self.picture.paste(cells.resize((max(1, x1 - x0), max(1, y1 - y0)), Image.Resampling.BILINEAR), (x0, y0))

    def tiles(self, box: Box, columns: int, rows: int, color: Color, joint: Color, shifted: bool = False) -> None:
        """Tiles, bricks (`shifted`) or windows: `columns` by `rows` in the joint's colour."""
        self.box(box, joint)
        wide, high = (box[2] - box[0]) / columns, (box[3] - box[1]) / rows
        gap_x, gap_y = 1.2 / self.width, 1.2 / self.height
        for row in range(rows):
            for column in range(columns + shifted):
                x = box[0] + wide * (column - 0.5 * (shifted and row % 2))
                y = box[1] + high * row
                spot = (max(box[0], x + gap_x), y + gap_y, min(box[2], x + wide - gap_x), y + high - gap_y)
                self.box(spot, near(self.rng, color, 6))

    def stripes(self, box: Box, count: int, colors: Sequence[Color]) -> None:
        """Upright stripes side by side: planks, cloth, book spines."""
        wide = (box[2] - box[0]) / count
        for k in range(count):
            x = box[0] + wide * k
            self.box((x, box[1], x + wide, box[3]), colors[k % len(colors)])

    def lit(self, glow: float, warmth: float) -> None:
        """Makes everything painted so far `glow` times as bright and the light of it warmer (above 0) or colder."""
        gains = np.array([[glow * (1 + warmth)], [glow], [glow * (1 - warmth)]])
        self.picture = self.picture.point(np.clip(gains * np.arange(256), 0, 255).astype(int).ravel().tolist())
        self.draw = ImageDraw.Draw(self.picture)
