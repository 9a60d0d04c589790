"""Drawing the draft of one word: letters set in a face, their outlines and shadows, a surface, colours, a view."""

import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from wordsight.synth.background import Backgrounds, Color, limit, luma, near, procedural, random_color
from wordsight.synth.conditions import letter_height, photographed
from wordsight.synth.draft import Draft, Layer, Look, Pixels
from wordsight.synth.fonts import CAP_HEIGHT, FontBook
from wordsight.synth.geometry import Box, View, random_view
from wordsight.synth.knobs import Knobs
from wordsight.synth.setting import Line, set_line, set_stack, stamp
from wordsight.synth.textless import textless

_PAD = 12  # room around the text for outlines and shadows, pixels of the plane
_CLEAR = (11, 24)  # least difference in grey levels that a word is left with; see `finish._told_apart`


def sketch(
    rng: random.Random, text: str, book: FontBook, backgrounds: Backgrounds, knobs: Knobs, canvas: tuple[int, int]
) -> Draft:
    """A draft showing `text`, or no text if it is empty, for sensors of at most `canvas` (rows, columns)."""
    line = None
    if text:
        face = book.pick(rng, text)
        stacked = 1 < len(text) < 9 and " " not in text and rng.random() < knobs.stacks
        line = _line(rng, text, book, face, stacked, knobs)
    if line is None:
        return blank(rng, book, backgrounds, knobs, canvas)
    plane, box = plane_of(rng, book, face, line, 0.0 if stacked else knobs.neighbours)
    return painted(rng, plane, box, len(text), backgrounds, knobs, canvas, stacked=stacked)


def painted(
    rng: random.Random,
    plane: Pixels,
    box: Box,
    length: int,
    backgrounds: Backgrounds,
    knobs: Knobs,
    canvas: tuple[int, int],
    stacked: bool = False,
    natural: bool = False,
) -> Draft:
    """A draft of the `length` letters that are set in `box` of a plane: their view, paint, ground and conditions.

    `stacked`: the letters stand below each other. `natural`: see `geometry.random_view`.
    """
    plane = _weight(rng, plane, knobs)
    letters = letter_height(rng, length, knobs)
    curls = length > 3 and not stacked
    view = random_view(rng, box, letters * (length if stacked else 1), knobs, canvas, curls, natural)
    surface, color = _surface(rng, view.sensor, backgrounds, knobs)
    look = _look(view)
    plane, below = _layers(rng, plane, color, knobs)
    look.red, look.green, look.blue = _unit(color)
    if rng.random() < knobs.translucent:
        look.opacity = rng.uniform(0.55, 0.95)
    form, fill = rng.random(), None
    if form < knobs.gradient:
        look.second_red, look.second_green, look.second_blue = _unit(near(rng, color, 45))
        angle, steep = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi))), rng.uniform(0.8, 3)
        look.turn_x, look.turn_y = steep * math.cos(angle), steep * math.sin(angle)
    elif form < knobs.gradient + knobs.textured:
        fill = np.asarray(procedural(rng, view.sensor, color))
    look.contrast = rng.uniform(*_CLEAR) / 255
    photographed(rng, look, letters, knobs)
    small = [Layer(_shrunken(mask, view), tint, opacity) for mask, tint, opacity in below]
    return Draft(_shrunken(plane, view), np.asarray(surface), look, small, fill)


def blank(
    rng: random.Random,
    book: FontBook,
    backgrounds: Backgrounds,
    knobs: Knobs,
    canvas: tuple[int, int],
    natural: bool = False,
) -> Draft:
    """A crop without text, which a reader should be silent about."""
    picture, finished = textless(rng, book, backgrounds)
    wide, high = picture.size
    if natural:
        smaller = min(1.0, canvas[1] / wide, canvas[0] / high)
        wide, high = max(8, 4 * round(wide * smaller / 4)), max(8, round(high * smaller))
    columns, rows = min(wide, canvas[1]), min(high, canvas[0])
    if (columns, rows) != picture.size:
        picture = picture.resize((columns, rows), Image.Resampling.BOX)
    look = Look(rows=rows, columns=columns, high=high, wide=wide)
    if not finished:
        photographed(rng, look, 0.6 * high, knobs)
    return Draft(None, np.asarray(picture), look)


def _look(view: View) -> Look:
    (wide, high), (columns, rows) = view.size, view.sensor
    return Look(rows, columns, high, wide, *view.inverse, view.bend, view.ring, *view.middle, view.half, *view.shrink)


def _unit(color: Color) -> tuple[float, float, float]:
    red, green, blue = color
    return red / 255, green / 255, blue / 255


def _line(rng: random.Random, text: str, book: FontBook, face: int, stacked: bool, knobs: Knobs) -> Line | None:
    if stacked:
        return set_stack(book, face, text, rng.uniform(0.1, 0.5) * CAP_HEIGHT)
    spacing = 0.0
    if rng.random() < knobs.spaced:
        spacing = CAP_HEIGHT * (rng.uniform(-0.06, 0.12) if rng.random() < 0.7 else rng.uniform(0.1, 0.7))
    jitter = rng.uniform(0.5, 2.5) if rng.random() < knobs.dancing else 0.0
    # Words stand as far apart as a letter n is wide, more or less.
    gap = CAP_HEIGHT * rng.uniform(-0.08, 0.25) if " " in text and rng.random() < knobs.spaced else 0.0
    return set_line(book, face, text, spacing, jitter, rng, gap)


def plane_of(rng: random.Random, book: FontBook, face: int, line: Line, neighbours: float) -> tuple[Pixels, Box]:
    """The word, with a probability among its neighbours: a mask, and the word's ink box in it."""
    height, width = line.mask.shape
    around: list[tuple[Line, int, int]] = []
    if rng.random() < neighbours:
        other = face if rng.random() < 0.7 else book.pick(rng, "AB")
        small = "".join(rng.choices("abcdefghiklmnoprstuvw" if rng.random() < 0.6 else "ABCDEFGHIKLMNOPRSTU", k=8))
        for side in rng.sample(("above", "below", "left", "right"), rng.choice((1, 1, 2))):
            near_line = set_line(book, other, small[: max(2, min(8, width // 20))])
            if near_line is None:
                continue
            distance = round(CAP_HEIGHT * rng.uniform(0.12, 0.6))
            h, w = near_line.mask.shape
            x = rng.randint(-w // 2, max(1, width - w // 2))
            if side == "above":
                around.append((near_line, x, -distance - h))
            elif side == "below":
                around.append((near_line, x, height + distance))
            elif side == "left":
                around.append((near_line, -distance - w, line.baseline - near_line.baseline))
            else:
                around.append((near_line, width + distance, line.baseline - near_line.baseline))
    pad = _PAD + (CAP_HEIGHT if around else 0)
    plane = np.zeros((height + 2 * pad, width + 2 * pad), dtype=np.uint8)
    for near_line, x, y in around:
        stamp(plane, near_line.mask, x + pad, y + pad)
    stamp(plane, line.mask, pad, pad)
    return plane, (pad, pad, pad + width, pad + height)


_LEVELS = np.arange(256)
_THINNER = np.clip((_LEVELS - 140) * 2.2, 0, 255).astype(np.uint8)
_OUTLINE = np.minimum(255, _LEVELS * 6).astype(np.uint8)
_SAME = _LEVELS.astype(np.uint8)


def _blurred(plane: Pixels, radius: float, table: Pixels) -> Pixels:
    return np.asarray(table[np.asarray(Image.fromarray(plane).filter(ImageFilter.BoxBlur(radius)))])


def _weight(rng: random.Random, plane: Pixels, knobs: Knobs) -> Pixels:
    """Strokes grown or shrunk a little, as paint, neon and print do."""
    form = rng.random()
    if form < knobs.heavy:  # by a pixel on each side
        wide = np.maximum(plane[1:], plane[:-1])
        wide = np.maximum(wide[1:], wide[:-1])
        wide = np.maximum(wide[:, 1:], wide[:, :-1])
        plane[1:-1, 1:-1] = np.maximum(wide[:, 1:], wide[:, :-1])
    elif form > 1 - knobs.thin:
        return np.maximum(_blurred(plane, 0.5, _THINNER), plane // 2)
    return plane


def _surface(
    rng: random.Random, size: tuple[int, int], backgrounds: Backgrounds, knobs: Knobs
) -> tuple[Image.Image, Color]:
    """The background and a colour for letters that can be told from it."""
    surface, form = None, rng.random()
    if len(backgrounds) and form < knobs.photo + knobs.wall:
        surface = backgrounds.cut(rng, size, knobs.photo_nearest)
        if surface is not None and form > knobs.photo:  # paint on a real wall
            surface = Image.blend(surface, Image.new("RGB", size, random_color(rng)), rng.uniform(0.4, 0.8))
    if knobs.flat and rng.random() < knobs.flat:
        surface = Image.new("RGB", size, (255, 255, 255) if rng.random() < 0.4 else random_color(rng))
    if surface is None:
        surface = procedural(rng, size)
    mean = surface.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    base: Color = mean if isinstance(mean, tuple) and len(mean) == 3 else (128, 128, 128)
    # Least difference in brightness: usually clear, at times hardly there.
    wanted = rng.uniform(30, 70) if rng.random() < knobs.faint else rng.uniform(60, 160)
    ground = luma(base)
    wanted = min(wanted, max(ground, 255 - ground) - 5)
    form = rng.random()
    if form < 0.35:
        color = (255, 255, 255) if ground < 128 else (0, 0, 0)
        return surface, near(rng, color, 14)
    for _ in range(6):
        color = near(rng, base, 60) if form < 0.5 else random_color(rng)
        if abs(luma(color) - ground) >= wanted:
            return surface, color
    step = wanted if ground + wanted <= 255 and (ground < 128 or ground - wanted < 0) else -wanted
    return surface, limit((base[0] + step, base[1] + step, base[2] + step))


Painted = tuple[Pixels, tuple[float, float, float], float]


def _layers(rng: random.Random, plane: Pixels, color: Color, knobs: Knobs) -> tuple[Pixels, Sequence[Painted]]:
    """The letters, hollow at times, and what lies below them: shadow or sides first, then the outline."""
    below: list[Painted] = []
    outlined, hollow = rng.random() < knobs.outlined, rng.random() < knobs.hollow
    outline = _blurred(plane, rng.choice((1, 1, 2, 3)), _OUTLINE) if outlined or hollow else plane
    if hollow:
        plane = outline - np.minimum(outline, plane)
    form = rng.random()
    if form < knobs.shadow:
        length, angle = rng.uniform(1, 5), rng.uniform(0, 2 * math.pi)
        cast = np.roll(outline, (round(math.sin(angle) * length), round(math.cos(angle) * length)), (0, 1))
        if rng.random() < 0.5:
            cast = _blurred(cast, rng.uniform(0.5, 2), _SAME)
        dark = (0, 0, 0) if luma(color) > 90 else (255, 255, 255)
        below.append((cast, _unit(near(rng, dark, 20)), rng.uniform(0.3, 1)))
    elif form < knobs.shadow + knobs.extruded:
        dx, dy = rng.choice((-1, 1)), rng.choice((-1, 0, 1, 1))
        sides = outline
        for _ in range(rng.randint(2, 5)):
            sides = np.maximum(outline, np.roll(sides, (dy, dx), (0, 1)))
        below.append((sides, _unit(_edge(rng, color)), 1.0))
    if outlined and not hollow:
        below.append((outline, _unit(_edge(rng, color)), 1.0))
    return plane, below


def _edge(rng: random.Random, color: Color) -> Color:
    """A colour for the outline of letters of `color`."""
    for _ in range(5):
        edge = random_color(rng)
        if rng.random() < 0.4 and abs(luma(edge) - luma(color)) > 60:
            return edge
    return near(rng, (0, 0, 0) if luma(color) > 128 else (255, 255, 255), 20)


def _shrunken(mask: Pixels, view: View) -> Pixels:
    return mask if view.shrink == (1, 1) else np.asarray(Image.fromarray(mask).reduce(view.shrink))
