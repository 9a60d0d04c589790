"""Sampling what a rendered word is: letters in a face, outlines, shadows, a surface, a view, light, lens, sensor."""

import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from wordsight.synth.background import Backgrounds, Color, limit, luma, near, procedural, random_color
from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import Draft, Layer, Look, Pixels
from wordsight.synth.fonts import CAP_HEIGHT, FontBook
from wordsight.synth.geometry import Box, View, random_view
from wordsight.synth.setting import Line, set_line, set_stack, stamp
from wordsight.synth.textless import textless

_PAD = 12  # room around the text for outlines and shadows, pixels of the plane
_CLEAR = (11, 24)  # least difference in grey levels that a word is left with; see `rasterize._told_apart`


def sample_parameters(
    rng: random.Random,
    text: str,
    book: FontBook,
    backgrounds: Backgrounds,
    config: RenderConfig,
    canvas: tuple[int, int],
) -> Draft:
    """A draft showing `text`, or no text if it is empty, for sensors of at most `canvas` (rows, columns)."""
    line = None
    if text:
        face = book.pick(rng, text)
        stacked = 1 < len(text) < 9 and " " not in text and rng.random() < config.stacks
        line = _line(rng, text, book, face, stacked, config)
    if line is None:
        return blank(rng, book, backgrounds, config, canvas)
    plane, box = plane_of(rng, book, face, line, 0.0 if stacked else config.neighbours)
    return painted(rng, plane, box, len(text), backgrounds, config, canvas, stacked=stacked)


def painted(
    rng: random.Random,
    plane: Pixels,
    box: Box,
    length: int,
    backgrounds: Backgrounds,
    config: RenderConfig,
    canvas: tuple[int, int],
    stacked: bool = False,
    natural: bool = False,
) -> Draft:
    """A draft of the `length` letters that are set in `box` of a plane: their view, paint, ground and conditions.

    `stacked`: the letters stand below each other. `natural`: see `geometry.random_view`.
    """
    plane = _weight(rng, plane, config)
    letters = letter_height(rng, length, config)
    curls = length > 3 and not stacked
    view = random_view(rng, box, letters * (length if stacked else 1), config, canvas, curls, natural)
    surface, color = _surface(rng, view.sensor, backgrounds, config)
    look = _look(view)
    plane, below = _layers(rng, plane, color, config)
    look.red, look.green, look.blue = _unit(color)
    if rng.random() < config.translucent:
        look.opacity = rng.uniform(0.55, 0.95)
    form, fill = rng.random(), None
    if form < config.gradient:
        look.second_red, look.second_green, look.second_blue = _unit(near(rng, color, 45))
        angle, steep = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi))), rng.uniform(0.8, 3)
        look.turn_x, look.turn_y = steep * math.cos(angle), steep * math.sin(angle)
    elif form < config.gradient + config.textured:
        fill = np.asarray(procedural(rng, view.sensor, color))
    look.contrast = rng.uniform(*_CLEAR) / 255
    photographed(rng, look, letters, config)
    small = [Layer(_shrunken(mask, view), tint, opacity) for mask, tint, opacity in below]
    return Draft(_shrunken(plane, view), np.asarray(surface), look, small, fill)


def blank(
    rng: random.Random,
    book: FontBook,
    backgrounds: Backgrounds,
    config: RenderConfig,
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
        photographed(rng, look, 0.6 * high, config)
    return Draft(None, np.asarray(picture), look)


def _look(view: View) -> Look:
    (wide, high), (columns, rows) = view.size, view.sensor
    return Look(rows, columns, high, wide, *view.inverse, view.bend, view.ring, *view.middle, view.half, *view.shrink)


def _unit(color: Color) -> tuple[float, float, float]:
    red, green, blue = color
    return red / 255, green / 255, blue / 255


def _line(rng: random.Random, text: str, book: FontBook, face: int, stacked: bool, config: RenderConfig) -> Line | None:
    if stacked:
        return set_stack(book, face, text, rng.uniform(0.1, 0.5) * CAP_HEIGHT)
    spacing = 0.0
    if rng.random() < config.spaced:
        spacing = CAP_HEIGHT * (rng.uniform(-0.06, 0.12) if rng.random() < 0.7 else rng.uniform(0.1, 0.7))
    jitter = rng.uniform(0.5, 2.5) if rng.random() < config.dancing else 0.0
    # Words stand as far apart as a letter n is wide, more or less.
    gap = CAP_HEIGHT * rng.uniform(-0.08, 0.25) if " " in text and rng.random() < config.spaced else 0.0
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


def _weight(rng: random.Random, plane: Pixels, config: RenderConfig) -> Pixels:
    """Strokes grown or shrunk a little, as paint, neon and print do."""
    form = rng.random()
    if form < config.heavy:  # by a pixel on each side
        wide = np.maximum(plane[1:], plane[:-1])
        wide = np.maximum(wide[1:], wide[:-1])
        wide = np.maximum(wide[:, 1:], wide[:, :-1])
        plane[1:-1, 1:-1] = np.maximum(wide[:, 1:], wide[:, :-1])
    elif form > 1 - config.thin:
        return np.maximum(_blurred(plane, 0.5, _THINNER), plane // 2)
    return plane


def _surface(
    rng: random.Random, size: tuple[int, int], backgrounds: Backgrounds, config: RenderConfig
) -> tuple[Image.Image, Color]:
    """The background and a colour for letters that can be told from it."""
    surface, form = None, rng.random()
    if len(backgrounds) and form < config.photo + config.wall:
        surface = backgrounds.cut(rng, size, config.photo_nearest)
        if surface is not None and form > config.photo:  # paint on a real wall
            surface = Image.blend(surface, Image.new("RGB", size, random_color(rng)), rng.uniform(0.4, 0.8))
    if config.flat and rng.random() < config.flat:
        surface = Image.new("RGB", size, (255, 255, 255) if rng.random() < 0.4 else random_color(rng))
    if surface is None:
        surface = procedural(rng, size)
    mean = surface.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    base: Color = mean if isinstance(mean, tuple) and len(mean) == 3 else (128, 128, 128)
    # Least difference in brightness: usually clear, at times hardly there.
    wanted = rng.uniform(30, 70) if rng.random() < config.faint else rng.uniform(60, 160)
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


def _layers(rng: random.Random, plane: Pixels, color: Color, config: RenderConfig) -> tuple[Pixels, Sequence[Painted]]:
    """The letters, hollow at times, and what lies below them: shadow or sides first, then the outline."""
    below: list[Painted] = []
    outlined, hollow = rng.random() < config.outlined, rng.random() < config.hollow
    outline = _blurred(plane, rng.choice((1, 1, 2, 3)), _OUTLINE) if outlined or hollow else plane
    if hollow:
        plane = outline - np.minimum(outline, plane)
    form = rng.random()
    if form < config.shadow:
        length, angle = rng.uniform(1, 5), rng.uniform(0, 2 * math.pi)
        cast = np.roll(outline, (round(math.sin(angle) * length), round(math.cos(angle) * length)), (0, 1))
        if rng.random() < 0.5:
            cast = _blurred(cast, rng.uniform(0.5, 2), _SAME)
        dark = (0, 0, 0) if luma(color) > 90 else (255, 255, 255)
        below.append((cast, _unit(near(rng, dark, 20)), rng.uniform(0.3, 1)))
    elif form < config.shadow + config.extruded:
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


def letter_height(rng: random.Random, length: int, config: RenderConfig) -> float:
    """How high the word is on the sensor, in pixels.

    ICDAR 2015 training crops are 15 to 91 px high (5 to 95 %), the median 27, IIIT5K's 34; of those from 30 px on,
    which all come down to 32 px for the model, only the sharpness differs.
    """
    if rng.random() >= config.small:
        return rng.uniform(20, 38)
    return rng.triangular(8 if length < 16 else 11, 36, 14)


def photographed(rng: random.Random, look: Look, letters: float, config: RenderConfig) -> None:
    """Draws everything that happens between a sign and its pixels.

    `letters` is the height in pixels of the text: blur goes with it, so that it stays readable.
    """
    if rng.random() < config.shade:
        _shade(rng, look)
    if rng.random() < config.glare:
        look.glare_x, look.glare_y = rng.uniform(-0.6, 0.6), rng.uniform(-0.7, 0.7)
        look.glare_wide, look.glare_high = 1 / rng.uniform(0.1, 0.8), 1 / rng.uniform(0.2, 1.2)
        look.glare = rng.uniform(0.2, 0.75)
    if rng.random() < config.occluded:
        _bar(rng, look)
    if rng.random() < config.defocus:
        # 0.05 of 40 px is a blur of 2 px, at which 'e' and 'c' just differ.
        look.sigma = letters * config.blur_limit * rng.uniform(0.3, 1.0)
    if letters >= 13 and rng.random() < config.motion:
        look.motion = rng.uniform(0.5, min(2.2, 0.09 * letters))
        look.motion_angle = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi)))
    if rng.random() < config.sharpened:
        look.sharpen, look.sharpen_reach = rng.uniform(0.3, 1.6), rng.uniform(0.6, 1.5)
    if rng.random() < config.toned:
        _tone(rng, look, rng.random() < config.negative / max(config.toned, 1e-9))
    if rng.random() < config.noisy:
        strength = (abs(rng.gauss(0, config.noise_level)) + 1) / 255
        if rng.random() < config.smoothed:
            look.noise_before = 1.5 * strength
        else:
            look.noise_after = strength
        look.chroma = rng.choice((0.0, 0.0, 0.4))
        look.noise_from = rng.random()
    if rng.random() < config.jpeg:
        look.quality = rng.randint(30, 95)


def _shade(rng: random.Random, look: Look) -> None:
    """From a slow fall of light to the edge of a shadow."""
    angle = rng.uniform(0, 2 * math.pi)
    look.shade_x, look.shade_y = math.cos(angle), math.sin(angle)
    look.shade_at = rng.gauss(0, 0.3)
    look.shade_sharp = math.exp(rng.uniform(math.log(2), math.log(40)))
    look.shade_dark = rng.uniform(0.3, 0.9)


def _bar(rng: random.Random, look: Look) -> None:
    """Wires, bars, leaves, the border of something: small against the text, which must stay readable."""
    wide, high, form = look.wide, look.high, rng.random()
    if form < 0.5:
        look.bar_x0, look.bar_y0 = rng.uniform(0, wide), rng.uniform(0, high)
        look.bar_x1, look.bar_y1 = rng.uniform(0, wide), rng.uniform(0, high)
        look.bar = max(0.5, high * rng.uniform(0.01, 0.05))
    elif form < 0.8:
        look.bar_x0, look.bar_y0 = rng.uniform(0, wide), rng.uniform(0, high)
        look.bar_x1, look.bar_y1 = (v + high * rng.uniform(-0.1, 0.1) for v in (look.bar_x0, look.bar_y0))
        look.bar = max(0.5, high * rng.uniform(0.03, 0.10))
    else:
        look.bar_y0 = look.bar_y1 = rng.choice((0.0, high))
        look.bar_x1 = wide
        look.bar = max(0.5, high * rng.uniform(0.03, 0.12))
    look.bar_red, look.bar_green, look.bar_blue = (v / 255 for v in random_color(rng))


def _tone(rng: random.Random, look: Look, negative: bool) -> None:
    """Exposure, contrast, gamma (as far as a parabola is one), colour of the light, now and then a negative."""
    bow = min(0.9, max(-0.9, rng.gauss(0, 0.3)))
    gain = min(1.25, max(0.4, math.exp(rng.gauss(-0.05, 0.22))))
    contrast = rng.uniform(0.5, 1.1) if rng.random() < 0.35 else 1.0
    pivot = rng.random()
    values = []
    for _ in range(3):
        cast = gain * math.exp(rng.gauss(0, 0.07))
        base, slope, curve = cast * pivot * (1 - contrast), cast * contrast * (1 + bow), -cast * contrast * bow
        values.append((1 - base, -slope, -curve) if negative else (base, slope, curve))
    (look.base_red, look.slope_red, look.curve_red), *rest = values
    (look.base_green, look.slope_green, look.curve_green), (look.base_blue, look.slope_blue, look.curve_blue) = rest
