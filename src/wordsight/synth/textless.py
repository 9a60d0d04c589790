"""Crops without text that detectors mistake for text: fences, windows, leaves, shelves, parts of photographs."""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from wordsight.synth.background import Backgrounds, contrasting, near, procedural, random_color
from wordsight.synth.faces import FontBook
from wordsight.synth.setting import set_line

_PHOTOS = 0.65  # share of crops from photographs; without photographs, all are drawn
_PATTERNS = 0.75  # of the others
_SLIVERS = 0.10  # of all: with the top or bottom of letters at the border


def textless(rng: random.Random, book: FontBook, backgrounds: Backgrounds) -> tuple[Image.Image, bool]:
    """A picture without text, for which a reader should return nothing, and whether it needs no further degradation.

    Two thirds are parts of photographs, 1 to 5 times as wide as high, half of them as they are. Some show the edge of a
    neighbouring line, too little of it to be read.
    """
    height = rng.randint(24, 56)
    size = (round(height * rng.uniform(1, 5)), height)
    photo = backgrounds.cut(rng, size, nearest=0.5) if rng.random() < _PHOTOS else None
    if photo is not None:
        picture = photo
    elif rng.random() < _PATTERNS:
        picture = _turned(rng, size, rng.choice(_DRAWN))
    else:
        picture = procedural(rng, size)
    if rng.random() < _SLIVERS:
        _sliver(rng, picture, book)
    return picture, photo is not None and rng.random() < 0.5


def _sliver(rng: random.Random, picture: Image.Image, book: FontBook) -> None:
    """Puts the lowest or highest 4 to 14 % of a line's letters at the upper or lower border."""
    text = "".join(rng.choices("ABCDEFGHIKLMNOPRSTUabdefhiklmnorstu", k=rng.randint(3, 9)))
    face = book.pick(rng, text)
    line = None if face is None else set_line(book, face, text)
    if line is None:
        return
    width, height = picture.size
    high = height * rng.uniform(0.6, 1.4)
    mask = Image.fromarray(line.mask)
    mask = mask.resize((max(1, round(mask.width * high / mask.height)), max(1, round(high))), Image.Resampling.BILINEAR)
    seen = max(1, round(high * rng.uniform(0.04, 0.14)))
    y = seen - mask.height if rng.random() < 0.5 else height - seen
    color = random_color(rng)
    picture.paste(color, (rng.randint(-mask.width // 2, max(0, width - mask.width // 2)), y), mask)


def _turned(rng: random.Random, size: tuple[int, int], draw: Callable[["_Canvas"], None]) -> Image.Image:
    """The centre of a pattern drawn on a canvas larger than `size` and slightly rotated and sheared."""
    width, height = size
    canvas = _Canvas(rng, (math.ceil(1.3 * width) + height, 2 * height))
    draw(canvas)
    angle = rng.choice((0.0, rng.gauss(0, 0.08), rng.uniform(-0.5, 0.5)))
    cos, sin, shear = math.cos(angle), math.sin(angle), rng.gauss(0, 0.15)
    x, y = canvas.width / 2, canvas.height / 2
    across, down = (cos, shear - sin), (sin, cos)
    matrix = (
        *(*across, x - across[0] * width / 2 - across[1] * height / 2),
        *(*down, y - down[0] * width / 2 - down[1] * height / 2),
    )
    return canvas.picture.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


class _Canvas:
    """A picture to draw on, its colours, and lengths in proportion to its size."""

    def __init__(self, rng: random.Random, size: tuple[int, int]) -> None:
        self.rng = rng
        self.width, self.height = size
        self.ground = random_color(rng)
        self.picture = procedural(rng, size, self.ground) if rng.random() < 0.4 else Image.new("RGB", size, self.ground)
        self.draw = ImageDraw.Draw(self.picture)
        self.color = contrasting(rng, self.ground, 40)

    def length(self, least: float, most: float) -> float:
        """Pixels, in heights of the crop."""
        return max(1.0, self.rng.uniform(least, most) * self.height / 2)


def _fence(c: _Canvas) -> None:
    """Bars or slats with gaps like those between letters, and rails; sometimes with uneven bars."""
    step, thick = c.length(0.08, 0.6), c.length(0.03, 0.15)
    uneven = c.rng.choice((0.0, 0.0, 0.3))
    upright = c.rng.random() < 0.7
    low, high = sorted((c.rng.uniform(0, 0.45), c.rng.uniform(0.55, 1))) if c.rng.random() < 0.4 else (0.0, 1.0)
    along, across = (c.width, c.height) if upright else (c.height, c.width)
    x = c.rng.uniform(0, step)
    while x < along:
        ends = (low * across, high * across)
        where = (x, ends[0], x, ends[1]) if upright else (ends[0], x, ends[1], x)
        c.draw.line(where, fill=c.color, width=round(thick * c.rng.uniform(1 - uneven, 1 + uneven)) or 1)
        x += (thick + step) * c.rng.uniform(1 - uneven, 1 + uneven)
    for _ in range(c.rng.choice((0, 1, 2))):
        y = c.rng.uniform(0.2, 0.8) * across
        c.draw.line((0, y, along, y) if upright else (y, 0, y, along), fill=c.color, width=round(c.length(0.04, 0.12)))


def _mesh(c: _Canvas) -> None:
    """Chain link, lattice, tiles."""
    step, thick = c.length(0.12, 0.6), max(1, round(c.length(0.02, 0.08)))
    slope = c.rng.choice((0.0, 1.0, c.rng.uniform(0.3, 2)))
    reach = slope * c.height
    x = -reach
    while x < c.width + reach:
        c.draw.line((x, 0, x + reach, c.height), fill=c.color, width=thick)
        if slope:
            c.draw.line((x, 0, x - reach, c.height), fill=c.color, width=thick)
        x += step
    y = 0.0
    while not slope and y < c.height:
        c.draw.line((0, y, c.width, y), fill=c.color, width=thick)
        y += step


def _windows(c: _Canvas) -> None:
    """Rows of lit and dark panes: façades, shelves, keyboards, lamps."""
    wide, high = c.length(0.1, 0.6), c.length(0.12, 0.7)
    gap_x, gap_y = c.length(0.03, 0.3), c.length(0.05, 0.5)
    mixed, missing = c.rng.choice((0.0, 0.15, 0.6, 1.0)), c.rng.choice((0.0, 0.0, 0.2))
    y = -c.rng.uniform(0, high)
    while y < c.height:
        x = -c.rng.uniform(0, wide)
        while x < c.width:
            w = wide * c.rng.uniform(0.5, 1.5) if mixed == 1 else wide
            color = random_color(c.rng) if c.rng.random() < mixed else c.color
            if c.rng.random() >= missing:
                c.draw.rectangle((x, y, x + w, y + high), fill=near(c.rng, color, 8))
            x += w + gap_x
        y += high + gap_y


def _leaves(c: _Canvas) -> None:
    """Leaves, pebbles, crowds: many small blobs of a few colours."""
    size = c.length(0.06, 0.3)
    spread = c.rng.choice((15, 35, 60))
    count = min(250, round(c.rng.uniform(0.3, 1.5) * c.width * c.height / size**2))
    for _ in range(count):
        x, y = c.rng.uniform(0, c.width), c.rng.uniform(0, c.height)
        w, h = size * c.rng.uniform(0.4, 1.5), size * c.rng.uniform(0.4, 1.5)
        fill = near(c.rng, c.color if c.rng.random() < 0.6 else c.ground, spread)
        if c.rng.random() < 0.5:
            c.draw.ellipse((x, y, x + w, y + h), fill=fill)
        else:
            c.draw.polygon([(x, y), (x + w, y + h * c.rng.uniform(-0.5, 0.5)), (x + w * 0.5, y + h)], fill=fill)


def _branches(c: _Canvas) -> None:
    """Wires, twigs, cracks, folds, railings in perspective: long strokes that cross or meet."""
    bundle = c.rng.random() < 0.4
    start = (c.rng.uniform(-0.2, 1.2) * c.width, c.rng.uniform(-0.2, 1.2) * c.height)
    for _ in range(c.rng.randint(2, 14)):
        x, y = start if bundle else (c.rng.uniform(0, c.width), c.rng.uniform(0, c.height))
        points = [(x, y)]
        direction = c.rng.uniform(0, 2 * math.pi)
        for _ in range(1 if bundle else c.rng.randint(1, 4)):
            step = c.length(2, 6) if bundle else c.length(0.3, 1.5)
            x, y = x + step * math.cos(direction), y + step * math.sin(direction)
            points.append((x, y))
            direction += c.rng.gauss(0, 0.6)
        c.draw.line(points, fill=near(c.rng, c.color, 15), width=round(c.length(0.02, 0.12)), joint="curve")


def _blocks(c: _Canvas) -> None:
    """Parts of cars, doors, furniture: a few large areas with straight edges, frames and round things."""
    for _ in range(c.rng.randint(2, 7)):
        x, y = c.rng.uniform(-0.3, 1) * c.width, c.rng.uniform(-0.3, 1) * c.height
        w, h = c.length(0.2, 4), c.length(0.2, 2)
        fill = near(c.rng, c.ground, 40) if c.rng.random() < 0.6 else random_color(c.rng)
        form = c.rng.random()
        if form < 0.5:
            rim = round(c.length(0.03, 0.1)) if c.rng.random() < 0.4 else 0
            c.draw.rectangle((x, y, x + w, y + h), fill=fill, outline=c.color if rim else None, width=rim or 1)
        elif form < 0.7:
            c.draw.ellipse((x, y, x + h, y + h), fill=fill)
        elif form < 0.8:
            c.draw.ellipse((x, y, x + h, y + h), outline=fill, width=round(c.length(0.04, 0.15)))
        else:
            slant = c.rng.uniform(-1, 1) * w
            c.draw.polygon([(x, y), (x + w, y), (x + w + slant, y + h), (x + slant, y + h)], fill=fill)


_DRAWN = (_fence, _mesh, _windows, _leaves, _branches, _blocks)
