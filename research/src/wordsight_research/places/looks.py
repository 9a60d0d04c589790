"""What twelve places look like, painted from a few shapes, each with much that varies.

The looks are our own drawings. They differ in colours, layout and things, so that a place can be told from a picture of
32 x 32 pixels; none contains writing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from wordsight.synth.background import Color
from wordsight_research.places.brush import Box, Brush

_WHITE, _BLACK, _GREY, _DARK = (240, 238, 232), (28, 28, 32), (140, 142, 146), (66, 68, 74)
_WOOD, _DEEP_WOOD, _SKIN = (156, 112, 70), (92, 60, 38), (214, 168, 136)
_RED, _YELLOW, _GREEN, _BLUE = (196, 44, 40), (236, 192, 52), (44, 140, 68), (40, 88, 172)


def _cafe(b: Brush) -> None:
    """Brown planks, lamps, a counter with cups."""
    wall = b.pick((122, 82, 54), (104, 74, 58), (134, 98, 66))
    b.stripes((0, 0, 1, 1), b.rng.randint(12, 22), [wall, b.pick(wall), b.pick(wall)])
    for _ in range(b.rng.randint(2, 4)):
        x, y = b.between(0.05, 0.95), b.between(0.1, 0.24)
        b.line((x, 0, x, y), _BLACK, 0.008)
        b.shape((x - 0.05, y + 0.05, x, y - 0.04, x + 0.05, y + 0.05), _DARK)
        b.oval(x, y + 0.06, 0.03, (255, 226, 140))
    top = b.between(0.72, 0.8)
    b.box((0, top, 1, 1), b.pick(_DEEP_WOOD))
    b.box((0, top, 1, top + 0.04), b.pick((206, 178, 142)))
    for _ in range(b.rng.randint(3, 6)):
        x, size = b.between(0.05, 0.95), b.between(0.05, 0.08)
        y, cup = top - size, b.pick(_WHITE, (196, 84, 56), (90, 130, 130))
        b.oval(x + 0.8 * size, y, 0.6 * size, None, cup, 0.015)
        b.shape((x - 0.8 * size, y - size, x + 0.8 * size, y - size, x + 0.5 * size, top, x - 0.5 * size, top), cup)
        b.oval(x, y - size, 0.25 * size, (70, 40, 24), wide=2.4)


def _bakery(b: Brush) -> None:
    """A cream wall, shelves full of bread."""
    b.fade((0, 0, 1, 1), b.pick((250, 228, 176), (248, 216, 158)), b.pick((236, 196, 132)))
    rows = b.rng.randint(2, 3)
    for row in range(rows):
        y = 0.5 + 0.46 * (row + 1) / rows
        b.box((0, y, 1, y + 0.025), b.pick(_DEEP_WOOD))
        long, x = b.rng.random() < 0.5, b.between(0.0, 0.06)
        while x < 1:
            crust = b.pick((198, 128, 58), (172, 102, 44), (216, 156, 84))
            size = b.between(0.045, 0.065)
            b.oval(x, y - size, size, crust, (130, 74, 30), 0.006, wide=1.9 if long else 1.1)
            for k in (-1, 0, 1):
                b.line((x + 0.03 * k - 0.01, y - 1.5 * size, x + 0.03 * k + 0.01, y - 0.7 * size), _WHITE, 0.007)
            x += size * (3.2 if long else 2)
    awning = [b.pick((206, 120, 60), (180, 92, 60)), b.pick(_WHITE)]
    b.stripes((0, 0, 1, b.between(0.05, 0.1)), b.rng.randint(14, 20), awning)


def _pharmacy(b: Brush) -> None:
    """White tiles, a green cross, a shelf of small boxes and bottles."""
    b.tiles((0, 0, 1, 1), b.rng.randint(10, 14), b.rng.randint(8, 11), b.pick((236, 244, 242)), (206, 220, 218))
    green = b.pick((20, 158, 84), (38, 176, 96))
    for _ in range(b.rng.randint(1, 2)):
        x, y, size = b.between(0.12, 0.88), b.between(0.14, 0.45), b.between(0.09, 0.13)
        arm = 0.34 * size
        b.box((x - 0.75 * size, y - arm, x + 0.75 * size, y + arm), green)
        b.box((x - 0.75 * arm, y - size, x + 0.75 * arm, y + size), green)
    b.box((0, 0.95, 1, 1), green)
    for y in (0.82, 0.95):
        b.box((0, y - 0.015, 1, y), b.pick((200, 208, 210)))
        x = b.between(0, 0.03)
        while x < 0.98:
            wide, high = b.between(0.02, 0.045), b.between(0.05, 0.1)
            color = b.pick(_WHITE, (120, 186, 222), (230, 130, 120), (150, 210, 160), (250, 214, 120))
            b.box((x, y - 0.015 - high, x + wide, y - 0.015), color, (170, 180, 184), 0.004)
            x += wide + b.between(0.003, 0.02)


def _station(b: Brush) -> None:
    """A hall of steel, a clock, a train at a platform with a yellow line."""
    b.fade((0, 0, 1, 0.6), b.pick((158, 176, 190), (140, 158, 176)), b.pick((96, 112, 128)))
    for k in range(b.rng.randint(5, 8)):
        x = k / 6 + b.between(-0.02, 0.02)
        b.line((x, 0.5, x, 0.12, x + 0.12, 0), _DARK, 0.012)
        b.line((x, 0.12, x - 0.12, 0), _DARK, 0.012)
    train = b.pick(_RED, _BLUE, (230, 230, 228), (238, 150, 40))
    top = b.between(0.5, 0.56)
    b.box((0, top, 1, 0.82), train)
    b.box((0, 0.74, 1, 0.77), _WHITE)
    gap = b.between(0.11, 0.16)
    for k in range(10):
        b.box((gap * k + 0.02, top + 0.05, gap * k + gap - 0.02, top + 0.15), (46, 62, 80))
    b.box((0, 0.82, 1, 0.88), _BLACK)
    b.box((0, 0.88, 1, 1), b.pick((150, 150, 152)))
    b.box((0, 0.91, 1, 0.935), _YELLOW)
    x, y = b.between(0.15, 0.85), b.between(0.14, 0.26)
    b.oval(x, y, 0.075, _WHITE, _BLACK, 0.015)
    b.line((x, y - 0.05, x, y, x + b.between(-0.03, 0.03), y + 0.01), _BLACK, 0.01)


def _road(b: Brush) -> None:
    """Sky, hills, trees and an asphalt road that narrows."""
    b.fade((0, 0, 1, 0.6), b.pick((104, 164, 224), (140, 176, 206), (90, 150, 220)), (216, 230, 240))
    for _ in range(b.rng.randint(1, 3)):
        b.oval(b.between(0, 1), 0.75, b.between(0.2, 0.34), b.pick((110, 150, 84), (92, 132, 96)), wide=2.2)
    b.box((0, 0.58, 1, 1), b.pick((98, 148, 66), (122, 158, 76)))
    far = b.between(0.3, 0.7)
    b.shape((far - 0.03, 0.56, far + 0.03, 0.56, 1.02, 1, -0.02, 1), b.pick((84, 86, 90)))
    for k in range(4):
        y0, y1 = 0.6 + 0.11 * k, 0.65 + 0.11 * k
        x0, x1 = (far + (0.5 - far) * (y - 0.56) / 0.44 for y in (y0, y1))
        b.line((x0, y0, x1, y1), _WHITE, 0.006 + 0.008 * k)
    for _ in range(b.rng.randint(2, 5)):
        x, y, size = b.rng.choice((b.between(0, 0.25), b.between(0.75, 1))), b.between(0.5, 0.66), b.between(0.06, 0.1)
        b.line((x, y, x, y + 0.14), _DEEP_WOOD, 0.02)
        b.oval(x, y, size, b.pick((46, 104, 52), (62, 118, 48)))


def _shop(b: Brush) -> None:
    """A pastel wall, clothes on rails."""
    b.fade((0, 0, 1, 1), b.pick((244, 206, 220), (226, 208, 240)), b.pick((232, 178, 204), (206, 184, 228)))
    b.box((0, 0.88, 1, 1), b.pick((222, 206, 196)))
    cloth = ((196, 40, 90), (48, 52, 96), (238, 236, 230), (60, 150, 150), (240, 180, 60), (120, 60, 130), _BLACK)
    for y in (b.between(0.4, 0.46),) if b.rng.random() < 0.5 else (0.3, 0.62):
        b.line((0, y, 1, y), (190, 190, 196), 0.015)
        x = b.between(0.02, 0.08)
        while x < 0.97:
            color, wide, long = b.pick(*cloth), b.between(0.028, 0.042), b.between(0.18, 0.3)
            b.shape((x, y, x + wide, y + 0.04, x - wide, y + 0.04), _GREY)
            sleeve = y + 0.12
            b.shape((x - 0.5 * wide, y + 0.03, x + 0.5 * wide, y + 0.03, x + 1.5 * wide, sleeve, x + wide, sleeve,
                     x + 1.2 * wide, y + long, x - 1.2 * wide, y + long, x - wide, sleeve, x - 1.5 * wide, sleeve),
                    color)  # fmt: skip
            x += 2.4 * wide + b.between(0.0, 0.06)


def _office(b: Brush) -> None:
    """Cold glass, desks with screens."""
    b.tiles((0, 0, 1, 0.72), b.rng.randint(4, 7), b.rng.randint(2, 4), b.pick((150, 190, 216), (128, 168, 198)), _DARK)
    for _ in range(b.rng.randint(3, 6)):
        x, y = b.between(0, 0.95), b.between(0.3, 0.6)
        b.box((x, y, x + b.between(0.06, 0.14), 0.72), b.pick((110, 140, 164), (134, 160, 178)))
    b.box((0, 0.72, 1, 1), b.pick((104, 110, 122), (86, 94, 110)))
    b.box((0, 0.82, 1, 0.86), b.pick((222, 224, 226)))
    for k in range(b.rng.randint(3, 5)):
        x = 0.04 + 0.24 * k + b.between(0, 0.06)
        b.box((x, 0.64, x + 0.13, 0.78), _BLACK)
        b.box((x + 0.01, 0.655, x + 0.12, 0.765), b.pick((70, 130, 190), (50, 60, 80), (180, 210, 230)))
        b.box((x + 0.055, 0.78, x + 0.075, 0.82), _BLACK)
        b.box((x + 0.02, 0.9, x + 0.1, 1), b.pick((40, 44, 54)))


def _hotel(b: Brush) -> None:
    """Wine-red wallpaper with gold, a chandelier, a bed."""
    wall, gold = b.pick((120, 24, 42), (104, 30, 60), (132, 36, 40)), b.pick((206, 164, 84))
    b.stripes((0, 0, 1, 1), b.rng.randint(16, 28), [wall, b.pick(wall)])
    b.box((0, 0.62, 1, 0.64), gold)
    x = b.between(0.2, 0.8)
    b.line((x, 0, x, 0.1), gold, 0.012)
    for k in (-2, -1, 0, 1, 2):
        b.line((x, 0.1, x + 0.045 * k, 0.16), gold, 0.008)
        b.oval(x + 0.045 * k, 0.16, 0.024, (255, 240, 190))
    b.box((0, 0.9, 1, 1), b.pick((86, 54, 40)))
    for left in (b.between(0.02, 0.1), b.between(0.52, 0.6)):
        wide = 0.38
        b.box((left, 0.56, left + wide, 0.84), b.pick(_DEEP_WOOD, gold))
        b.box((left + 0.02, 0.72, left + wide - 0.02, 0.94), _WHITE)
        b.box((left + 0.02, 0.8, left + wide - 0.02, 0.94), b.pick((150, 30, 50), (180, 140, 80), (70, 60, 110)))
        for pillow in (0.115, 0.265):
            b.oval(left + pillow, 0.71, 0.035, (250, 248, 244), _GREY, 0.004, wide=1.9)


def _museum(b: Brush) -> None:
    """Pale marble, columns, pictures in gold frames, a chequered floor."""
    b.fade((0, 0, 1, 1), b.pick((222, 216, 202), (212, 210, 204)), b.pick((190, 184, 170)))
    for row in range(3):
        for k in range(12):
            y = 0.82 + 0.06 * row
            b.box((k / 12, y, (k + 1) / 12, y + 0.06), b.pick(_BLACK) if (k + row) % 2 else b.pick(_WHITE))
    columns = b.rng.randint(2, 4)
    for column in range(columns):
        x = (column + 0.5) / columns + b.between(-0.03, 0.03)
        stone = b.pick((238, 234, 224))
        b.stripes((x - 0.05, 0.06, x + 0.05, 0.82), 6, [stone, (204, 198, 184)])
        for y in (0.02, 0.8):
            b.box((x - 0.07, y, x + 0.07, y + 0.05), stone, _GREY, 0.004)
    for k in range(columns + 1):
        x, y = k / columns + b.between(-0.02, 0.02), b.between(0.3, 0.42)
        wide, high = b.between(0.07, 0.1), b.between(0.11, 0.17)
        b.box((x - wide, y - high, x + wide, y + high), (40, 60, 70), b.pick((198, 156, 70)), 0.025)
        for _ in range(3):
            b.oval(x + b.between(-0.04, 0.04), y + b.between(-0.07, 0.07), 0.045, b.pick(_RED, _YELLOW, _BLUE, _SKIN))


def _market(b: Brush) -> None:
    """A striped awning, crates of fruit."""
    b.fade((0, 0, 1, 1), b.pick((190, 176, 140), (164, 160, 130)), b.pick((120, 104, 76)))
    awning = b.between(0.16, 0.24)
    cloth = b.pick(_RED, _GREEN, (226, 120, 30))
    b.stripes((0, 0, 1, awning), b.rng.randint(9, 15), [cloth, b.pick(_WHITE)])
    fruit = ((210, 40, 36), (240, 150, 30), (246, 216, 70), (90, 160, 50), (120, 50, 110), (150, 190, 60))
    for row, y in enumerate((0.6, 0.78)):
        x = -0.1 * row + b.between(-0.05, 0.0)
        while x < 1:
            wide = b.between(0.2, 0.28)
            color = b.rng.choice(fruit)
            b.box((x, y, x + wide, y + 0.19), b.pick(_WOOD), _DEEP_WOOD, 0.008)
            for _ in range(14):
                spot = x + b.between(0.02, wide - 0.02), y + b.between(-0.02, 0.07)
                b.oval(*spot, b.between(0.024, 0.036), b.pick(color))
            x += wide + 0.01


def _garage(b: Brush) -> None:
    """Dark concrete, warning stripes, tyres, a car."""
    b.fade((0, 0, 1, 1), b.pick((88, 90, 92), (74, 78, 84)), b.pick((52, 52, 56)))
    y = b.between(0.02, 0.1)
    b.box((0, y, 1, y + 0.06), b.pick(_YELLOW))
    for k in range(18):
        x = k / 17
        b.shape((x, y, x + 0.03, y, x, y + 0.06, x - 0.03, y + 0.06), _BLACK)
    paint, x = b.pick(_RED, _BLUE, (220, 220, 224), (230, 140, 30), (50, 120, 80)), b.between(0.02, 0.4)
    b.shape((x + 0.1, 0.7, x + 0.17, 0.56, x + 0.38, 0.56, x + 0.46, 0.7), paint)
    b.shape((x + 0.14, 0.69, x + 0.19, 0.59, x + 0.36, 0.59, x + 0.41, 0.69), (150, 176, 190))
    b.box((x, 0.69, x + 0.56, 0.84), paint)
    for wheel in (x + 0.12, x + 0.44):
        b.oval(wheel, 0.85, 0.075, _BLACK, _GREY, 0.012)
        b.oval(wheel, 0.85, 0.03, (190, 190, 194))
    b.box((0, 0.925, 1, 1), b.pick((96, 94, 92)))
    for _ in range(b.rng.randint(1, 3)):
        spot, count = b.between(0.05, 0.95), b.rng.randint(2, 4)
        for k in range(count):
            b.oval(spot, 0.9 - 0.055 * k, 0.045, (22, 22, 24), (74, 74, 78), 0.008, wide=1.9)


def _school(b: Brush) -> None:
    """A wall with a blackboard, bookshelves, desks on wood."""
    b.fade((0, 0, 1, 1), b.pick((206, 222, 180), (220, 224, 190)), b.pick((190, 206, 160)))
    x, y = b.between(0.04, 0.12), b.between(0.06, 0.14)
    b.box((x, y, 1 - b.between(0.04, 0.12), 0.56), b.pick((24, 84, 62), (30, 74, 58)), b.pick(_WOOD), 0.025)
    for _ in range(4):
        left, top = b.between(0.15, 0.7), b.between(0.18, 0.5)
        b.line((left, top, left + b.between(0.05, 0.15), top + b.between(-0.02, 0.02)), (190, 206, 198), 0.006)
    b.box((0, 0.66, 1, 1), b.pick((196, 150, 96), (178, 132, 84)))
    books = [b.pick(_RED, _YELLOW, _GREEN, _BLUE, (150, 80, 150)) for _ in range(11)]
    b.stripes((0, 0.59, 1, 0.68), b.rng.randint(44, 60), books)
    for k in range(4):
        left = 0.02 + 0.25 * k + b.between(-0.02, 0.03)
        b.box((left, 0.8, left + 0.19, 0.84), b.pick((226, 186, 130)))
        for leg in (left + 0.015, left + 0.17):
            b.line((leg, 0.84, leg, 1), _DARK, 0.014)


@dataclass(frozen=True)
class Look:
    """How a place is painted, where its signs hang (areas for their middles), and its light: how warm it is."""

    paint: Callable[[Brush], None]
    areas: tuple[Box, ...]
    warmth: float = 0.0


LOOKS: dict[str, Look] = {
    "cafe": Look(_cafe, ((0.2, 0.3, 0.8, 0.6), (0.2, 0.85, 0.8, 0.95)), 0.08),
    "bakery": Look(_bakery, ((0.15, 0.15, 0.85, 0.45),), 0.04),
    "pharmacy": Look(_pharmacy, ((0.15, 0.08, 0.85, 0.7),), -0.04),
    "station": Look(_station, ((0.15, 0.08, 0.85, 0.45), (0.15, 0.08, 0.85, 0.45), (0.2, 0.68, 0.8, 0.9)), -0.05),
    "road": Look(_road, ((0.15, 0.1, 0.85, 0.3), (0.1, 0.3, 0.3, 0.75), (0.7, 0.3, 0.9, 0.75)), 0.0),
    "shop": Look(_shop, ((0.15, 0.08, 0.85, 0.3), (0.15, 0.8, 0.85, 0.95)), 0.0),
    "office": Look(_office, ((0.15, 0.1, 0.85, 0.55), (0.15, 0.88, 0.85, 0.95)), -0.07),
    "hotel": Look(_hotel, ((0.12, 0.2, 0.88, 0.55),), 0.07),
    "museum": Look(_museum, ((0.15, 0.55, 0.85, 0.8), (0.15, 0.1, 0.85, 0.3)), 0.0),
    "market": Look(_market, ((0.15, 0.25, 0.85, 0.6), (0.15, 0.85, 0.85, 0.95)), 0.03),
    "garage": Look(_garage, ((0.15, 0.15, 0.85, 0.55),), -0.02),
    "school": Look(_school, ((0.2, 0.12, 0.8, 0.5), (0.15, 0.7, 0.85, 0.9)), 0.0),
}
"""All places. The names are those of `words.WORDS`."""


def backdrop(rng: random.Random, place: str, size: tuple[int, int]) -> tuple[Image.Image, tuple[Box, ...]]:
    """A place without signs, (width, height) pixels, and the areas for its signs.

    `place` is one of `LOOKS`; it is seen from nearer or farther, mirrored or not, with people and things in front.
    """
    look, brush = LOOKS[place], Brush(rng, size)
    look.paint(brush)
    for _ in range(rng.randint(0, 3)):  # who and what stands about anywhere
        _clutter(brush)
    brush.lit(rng.uniform(0.72, 1.12), look.warmth + rng.gauss(0, 0.04))
    zoom = rng.uniform(0.75, 1.0)
    x, y = rng.uniform(0, 1 - zoom), rng.uniform(0, 1 - zoom)
    window = (x * size[0], y * size[1], (x + zoom) * size[0], (y + zoom) * size[1])
    picture = brush.picture.resize(size, Image.Resampling.BILINEAR, window)
    areas = [((a - x) / zoom, (b - y) / zoom, (c - x) / zoom, (d - y) / zoom) for a, b, c, d in look.areas]
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        areas = [(1 - c, b, 1 - a, d) for a, b, c, d in areas]
    return picture, tuple(areas)


def _clutter(b: Brush) -> None:
    """Somebody, a box or a post in front, alike in all places."""
    color: Color = b.pick(_RED, _BLUE, _GREEN, _DARK, _WHITE, _WOOD)
    x, y = b.between(0.05, 0.95), b.between(0.55, 0.8)
    form = b.rng.random()
    if form < 0.5:
        b.oval(x, y, 0.035, b.pick(_SKIN, (120, 80, 58)))
        b.shape((x - 0.035, y + 0.05, x + 0.035, y + 0.05, x + 0.05, 1, x - 0.05, 1), color)
    elif form < 0.8:
        b.box((x, y + 0.1, x + b.between(0.05, 0.15), 1), color)
    else:
        b.line((x, 0, x, 1), color, 0.02)
