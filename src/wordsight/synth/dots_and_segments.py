"""Letters that fonts do not have: dot matrices and seven-segment displays; and embossed or pale ones."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from wordsight.synth.background import luma, near, random_color
from wordsight.synth.draft import Draft, Layer, Pixels, reduced, unit
from wordsight.synth.fonts import CAP_HEIGHT
from wordsight.synth.setting import Line


def _matrix() -> dict[str, Pixels]:
    letters = {}
    for block in Path(__file__).with_name("dots.txt").read_text(encoding="ascii").strip().split("\n\n"):
        names, *rows = (line.split() for line in block.split("\n"))
        for k, name in enumerate(names):
            letters[name] = np.array([[dot == "#" for dot in row[k]] for row in rows], np.uint8)
    return letters


DOTS = _matrix()
"""Letters of 5 x 7 dots, as of matrix printers and displays, from dots.txt: (7, 5) each, 1 for a dot."""

# Segments of a digit: a top, b and c right, d bottom, e and f left, g middle.
_SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgcde", "7": "abc",
    "8": "abcdefg", "9": "abcdfg", "-": "g", "A": "abcefg", "C": "adef", "E": "adefg", "F": "aefg", "H": "bcefg",
    "I": "ef", "L": "def", "O": "abcdef", "P": "abefg", "S": "afgcd", "U": "bcdef", "a": "abcdeg", "b": "cdefg",
    "c": "deg", "d": "bcdeg", "h": "cefg", "i": "c", "n": "ceg", "o": "cdeg", "r": "eg", "t": "defg", "u": "cde",
    "y": "bcdfg", "°": "abfg", " ": "",
}  # fmt: skip
SEGMENTED = frozenset(_SEGMENTS) | {".", ":"}
"""Characters that seven segments can show, and the points between them."""
_FINE = 3  # segments and dots are drawn this many times larger, against aliasing


@dataclass(frozen=True)
class Segments:
    """A display: its lit and its dark segments, with masks of one size."""

    lit: Line
    dark: Line


def set_dots(rng: random.Random, text: str) -> Line | None:
    """Sets capitals, digits and a few signs in dots; None if there are other characters.

    Dots are round or square, touch or not, and a few may be missing, as with worn nozzles.
    """
    if not set(text) <= {*DOTS, " "} or text.isspace():
        return None
    step = CAP_HEIGHT / 7
    across = step * rng.uniform(0.75, 1.15)
    size = step * rng.uniform(0.62, 1.08)
    jitter, missing = rng.choice((0.0, 0.0, 0.05, 0.12)) * step, rng.choice((0.0, 0.0, 0.0, 0.01, 0.03))
    gap, square = rng.choice((1.0, 1.0, 1.0, 2.0)), rng.random() < 0.2
    narrow = rng.random() < 0.3  # points and colons narrower than letters
    pen, dots = 0.0, []
    for character in text:
        cells = DOTS.get(character)
        if cells is None:
            pen += rng.uniform(3.5, 5) if narrow else 5 + gap
            continue
        columns = np.flatnonzero(cells.any(0))
        first, width = (int(columns[0]), len(columns)) if narrow else (0, 5)
        for row, column in zip(*np.nonzero(cells), strict=True):
            if rng.random() >= missing:
                dots.append((pen + float(column) - first, float(row)))
        pen += width + gap
    wide, high = math.ceil(pen * across + size), math.ceil(7 * step + size)
    picture = Image.new("L", (wide * _FINE, high * _FINE))
    draw = ImageDraw.Draw(picture)
    shape = draw.rectangle if square else draw.ellipse
    for x, y in dots:
        left, top = x * across + rng.gauss(0, jitter), y * step + rng.gauss(0, jitter)
        shape([_FINE * v for v in (left, top, left + size, top + size)], fill=255)
    mask = np.asarray(picture.reduce(_FINE))
    box = Image.fromarray(mask).getbbox()
    if box is None:
        return None
    return Line(mask[box[1] : box[3], box[0] : box[2]].copy(), box[3] - box[1])


def set_segments(rng: random.Random, text: str) -> Segments | None:
    """Sets a text in seven segments with points and colons between the digits; None if it has other characters."""
    if not set(text) <= SEGMENTED or not text.strip(" .:"):
        return None
    high = CAP_HEIGHT * _FINE
    wide, thick = high * rng.uniform(0.42, 0.62), high * rng.uniform(0.07, 0.15)
    gap, slant = high * rng.uniform(0.12, 0.3), rng.choice((0.0, 0.08, 0.12, 0.15))
    apart, pointed = thick * rng.uniform(0.0, 0.2), rng.random() < 0.6
    own = rng.random() < 0.35  # points in a cell of their own, not in the corner of the digit before
    dot = thick * rng.uniform(0.9, 1.4)
    room = math.ceil(slant * high) + math.ceil(dot)
    length = room + round(sum((dot * 1.6 if c in ".:" else wide) + gap for c in text) + dot)
    lit, dark = (Image.new("L", (length, high)) for _ in range(2))
    on, off = ImageDraw.Draw(lit), ImageDraw.Draw(dark)
    pen = 0.0

    def leant(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(pen + x + slant * (high - y), y) for x, y in points]

    for character in text:
        if character in ".:":
            centres = (high - dot / 2,) if character == "." else (0.3 * high, 0.7 * high)
            x = dot * 0.3 if own or character == ":" else -gap / 2 - dot / 2 + thick * 0.2
            for y in centres:
                corners = leant(((x, y - dot / 2), (x + dot, y - dot / 2), (x + dot, y + dot / 2), (x, y + dot / 2)))
                on.polygon(corners, fill=255)
            pen += dot * 1.6 + gap / 2 if own or character == ":" else dot * 0.3
            continue
        for name, corners in _bars(wide, high, thick, apart, pointed).items():
            draw = on if name in _SEGMENTS[character] else off
            draw.polygon(leant(corners), fill=255)
        pen += wide + gap
    box = lit.getbbox()
    if box is None:
        return None
    box = (0, 0, min(length, max(box[2], math.ceil(pen - gap + slant * high))), high)
    bright, faint = (np.asarray(one.crop(box).reduce(_FINE)) for one in (lit, dark))
    faint = np.minimum(faint, 255 - bright)  # lit segments cover dark ones
    return Segments(Line(bright, len(bright)), Line(faint, len(faint)))


def _bars(wide: float, high: float, thick: float, apart: float, pointed: bool) -> dict[str, list[tuple[float, float]]]:
    """The corners of the seven segments of one digit."""
    t, middle = thick, high / 2
    tip = t / 2 if pointed else 0.0

    def level(y: float, out: float) -> list[tuple[float, float]]:
        """A horizontal bar around y; `out`: the outer edge of slanted ends, up (-1) or down (1)."""
        x0, x1 = t / 2 + apart, wide - t / 2 - apart
        if pointed:
            upper, lower = ([(x, y + side) for x in (x0 + tip, x1 - tip)] for side in (-t / 2, t / 2))
            return [(x0, y), *upper, (x1, y), *lower[::-1]]
        inner = t / 2
        top, bottom = (0.0, inner) if out < 0 else (inner, 0.0) if out > 0 else (inner / 2, inner / 2)
        return [(x0 + top, y - t / 2), (x1 - top, y - t / 2), (x1 - bottom, y + t / 2), (x0 + bottom, y + t / 2)]

    def upright(x: float, y0: float, y1: float) -> list[tuple[float, float]]:
        y0, y1 = y0 + apart, y1 - apart
        if pointed:
            right, left = ([(x + side, y) for y in (y0 + tip, y1 - tip)] for side in (t / 2, -t / 2))
            return [(x, y0), *right, (x, y1), *left[::-1]]
        return [(x - t / 2, y0), (x + t / 2, y0), (x + t / 2, y1), (x - t / 2, y1)]

    left, right, top, bottom = t / 2, wide - t / 2, t / 2, high - t / 2
    return {
        "a": level(top, -1), "g": level(middle, 0), "d": level(bottom, 1),
        "f": upright(left, top, middle), "b": upright(right, top, middle),
        "e": upright(left, middle, bottom), "c": upright(right, middle, bottom),
    }  # fmt: skip


def displayed(rng: random.Random, draft: Draft, dark: Pixels) -> Draft:
    """A draft of lit segments in the colours of LCDs and LEDs, with the `dark` segments (a mask) faint."""
    form = rng.random()
    if form < 0.5:  # a reflecting LCD: black on greenish grey
        ground = near(rng, rng.choice(((160, 172, 148), (178, 184, 170), (120, 138, 112), (200, 204, 198))), 10)
        paint = near(rng, (24, 30, 26), 12)
    elif form < 0.85:  # light-emitting
        light = rng.choice(((255, 60, 40), (60, 255, 90), (80, 190, 255), (255, 190, 60), (245, 250, 255)))
        paint = near(rng, light, 12)
        ground = near(rng, (18, 14, 16), 8)
    else:  # a backlit LCD, light on blue or dark on orange
        ground = near(rng, rng.choice(((30, 60, 190), (240, 150, 40), (70, 190, 80))), 12)
        paint = near(rng, (235, 240, 250) if luma(ground) < 110 else (26, 24, 24), 10)
    surface = np.empty_like(draft.surface)
    surface[:] = ground
    color = unit(paint)
    ghost = rng.choice((0.0, 0.0, 0.04, 0.08, 0.14))
    below = [Layer(reduced(dark, draft.view.shrink), color, ghost)] if ghost else []
    return replace(draft, surface=surface, color=color, opacity=rng.uniform(0.85, 1.0), below=below, fill=None)


def pressed(rng: random.Random, draft: Draft) -> Draft:
    """A draft with its letters embossed or engraved: in the colour of the ground, with a light and a dark edge."""
    mean = draft.surface.reshape(-1, 3).mean(0)
    red, green, blue = (min(0.8, max(0.25, float(v) / 255)) for v in mean)
    # The ground's own pattern is weakened, so that the edges stand out.
    ground = 255 * np.array((red, green, blue)) + rng.uniform(0, 0.35) * (draft.surface - mean)
    tint = rng.uniform(-0.06, 0.06)
    color = (red + tint, green + tint, blue + tint)
    far = rng.choice((1, 1, 2))
    step = (far, far) if rng.random() < 0.7 else (far, 0)
    light, shade = rng.uniform(0.35, 0.8), rng.uniform(0.4, 0.75)
    sign = rng.choice((-1, 1))  # raised or sunk
    lower = np.roll(draft.letters, (sign * step[0], sign * step[1]), (0, 1))
    upper = np.roll(draft.letters, (-sign * step[0], -sign * step[1]), (0, 1))
    dark = (red * (1 - shade), green * (1 - shade), blue * (1 - shade))
    bright = (red + (1 - red) * light, green + (1 - green) * light, blue + (1 - blue) * light)
    surface = np.clip(ground, 0, 255).astype(np.uint8)
    below = [Layer(lower, dark), Layer(upper, bright)]
    return replace(draft, surface=surface, color=color, opacity=1.0, below=below, fill=None, contrast=0.0)


def pale(rng: random.Random, draft: Draft) -> Draft:
    """A draft with light letters on a light ground, as on transparent pictures and faded paper."""
    ground = near(rng, (rng.randint(205, 255),) * 3, 4) if rng.random() < 0.7 else _lightened(rng)
    step = rng.uniform(18, 45)
    up = luma(ground) + step <= 255 or rng.random() < 0.5
    paint = [min(255.0, v + step) if up else v - step for v in ground]
    if luma(paint) - luma(ground) < 12 and up:  # nothing is lighter, so the ground becomes darker
        ground = near(rng, (232 - round(step),) * 3, 3)
        paint = [255.0, 255.0, 255.0]
    surface = np.empty_like(draft.surface)
    surface[:] = ground
    return replace(draft, surface=surface, color=unit(paint), opacity=1.0, below=[], fill=None)


def _lightened(rng: random.Random) -> tuple[int, int, int]:
    red, green, blue = random_color(rng)
    return 200 + red // 6, 200 + green // 6, 200 + blue // 6
