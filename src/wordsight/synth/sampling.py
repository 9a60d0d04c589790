"""Sampling a rendered text: how it is set, outlines, shadows, a surface, a view, light, lens, sensor."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from wordsight.synth.background import Backgrounds, Color, contrasting, limit, luma, near, procedural, random_color
from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import Draft, Layer, Parameters, Pixels, reduced, unit
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT
from wordsight.synth.geometry import Box, random_view
from wordsight.synth.setting import Line, set_line, set_stack, stamp
from wordsight.synth.textless import textless

_PAD = 12  # margin around the text for outlines and shadows, pixels of the plane
_CLEAR = (11, 24)  # range of the least contrast of a word, in grey levels; see `rasterize._ensure_contrast`


def set_as_on_signs(
    rng: random.Random, book: FontBook, face: int, text: str, config: RenderConfig
) -> tuple[Line | None, bool]:
    """Sets a text, perhaps with its letters apart or off the baseline; and whether they are one below the other."""
    if 1 < len(text) < 9 and " " not in text and rng.random() < config.stacks:
        return set_stack(book, face, text, rng.uniform(0.1, 0.5) * CAP_HEIGHT), True
    spacing = gap = 0.0
    if rng.random() < config.spaced:
        tight = rng.random() < 0.75 or len(text) > 30
        spacing = CAP_HEIGHT * (rng.uniform(-0.06, 0.12) if tight else rng.uniform(0.1, 0.6))
        # Words are about as far apart as a letter n is wide, and farther if letters are.
        gap = max(0.0, spacing) * rng.uniform(0.6, 1.2) + CAP_HEIGHT * rng.uniform(-0.06, 0.25)
    jitter = rng.uniform(0.5, 2.0) if rng.random() < config.dancing else 0.0
    return set_line(book, face, text, spacing, jitter, rng, gap), False


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
    """A draft of the `length` letters that are set in `box` of a plane: view, paint, background and conditions.

    `stacked`: the letters are one below the other. `natural`: see `geometry.random_view`.
    """
    plane = _weight(rng, plane, config)
    letters = _letter_height(rng, length, config)
    curls = length > 3 and not stacked
    params = random_view(rng, box, letters * (length if stacked else 1), config, canvas, curls, natural)
    sensor = int(params.columns), int(params.rows)
    surface, color = _surface(rng, sensor, backgrounds, config)
    plane, below = _layers(rng, plane, color, config)
    params.color = unit(color)
    if rng.random() < config.translucent:
        params.opacity = rng.uniform(0.55, 0.95)
    form, fill = rng.random(), None
    if form < config.gradient:
        params.second_color = unit(near(rng, color, 45))
        angle, steep = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi))), rng.uniform(0.8, 3)
        params.turn = steep * math.cos(angle), steep * math.sin(angle)
    elif form < config.gradient + config.textured:
        fill = np.asarray(procedural(rng, sensor, color))
    params.contrast = rng.uniform(*_CLEAR) / 255
    _photograph(rng, params, letters, config)
    small = [replace(layer, mask=reduced(layer.mask, params.shrink)) for layer in below]
    return Draft(reduced(plane, params.shrink), np.asarray(surface), params, small, fill)


def blank(
    rng: random.Random,
    book: FontBook,
    backgrounds: Backgrounds,
    config: RenderConfig,
    canvas: tuple[int, int],
    natural: bool = False,
) -> Draft:
    """A crop without text, for which a reader should return nothing."""
    picture, finished = textless(rng, book, backgrounds)
    wide, high = picture.size
    smaller = min(1.0, canvas[1] / wide, canvas[0] / high) if natural else 1.0
    wide, high = max(8, 4 * round(wide * smaller / 4)), max(8, round(high * smaller))
    columns, rows = min(wide, canvas[1]), min(high, canvas[0])
    if (columns, rows) != picture.size:
        picture = picture.resize((columns, rows), Image.Resampling.BOX)
    params = Parameters(rows, columns, high, wide)
    if not finished:
        _photograph(rng, params, 0.6 * high, config)
    return Draft(None, np.asarray(picture), params)


def plane_of(rng: random.Random, book: FontBook, face: int, line: Line, neighbours: float) -> tuple[Pixels, Box]:
    """A mask of a line, with probability `neighbours` among others, mostly in `face`, and the line's ink box in it."""
    height, width = line.mask.shape
    around: list[tuple[Line, int, int]] = []
    if rng.random() < neighbours:
        other = face if rng.random() < 0.7 else book.pick(rng, "AB") or face
        small = "".join(rng.choices("abcdefghiklmnoprstuvw" if rng.random() < 0.6 else "ABCDEFGHIKLMNOPRSTU", k=8))
        for side in rng.sample(("above", "below", "left", "right"), rng.choice((1, 1, 2))):
            near_line = set_line(book, other, small[: max(2, min(8, width // 20))])
            if near_line is None:
                continue
            distance = round(CAP_HEIGHT * rng.uniform(0.12, 0.6))
            h, w = near_line.mask.shape
            x = rng.randint(-w // 2, max(1, width - w // 2))
            level = line.baseline - near_line.baseline
            corners = {"above": (x, -distance - h), "below": (x, height + distance)}
            corners |= {"left": (-distance - w, level), "right": (width + distance, level)}
            around.append((near_line, *corners[side]))
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
    """Strokes slightly thicker or thinner, as in paint, neon and print."""
    form = rng.random()
    if form < config.heavy:  # thicker by a pixel on each side
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
    """The background and a colour for letters that stand out from it."""
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
    # Least difference in brightness: usually clear, sometimes faint.
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


def _layers(rng: random.Random, plane: Pixels, color: Color, config: RenderConfig) -> tuple[Pixels, Sequence[Layer]]:
    """The letters, sometimes hollow, and what lies below them: shadow or sides first, then the outline."""
    below: list[Layer] = []
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
        below.append(Layer(cast, unit(near(rng, dark, 20)), rng.uniform(0.3, 1)))
    elif form < config.shadow + config.extruded:
        dx, dy = rng.choice((-1, 1)), rng.choice((-1, 0, 1, 1))
        sides = outline
        for _ in range(rng.randint(2, 5)):
            sides = np.maximum(outline, np.roll(sides, (dy, dx), (0, 1)))
        below.append(Layer(sides, unit(contrasting(rng, color, 60))))
    if outlined and not hollow:
        below.append(Layer(outline, unit(contrasting(rng, color, 60))))
    return plane, below


def _letter_height(rng: random.Random, length: int, config: RenderConfig) -> float:
    """Height of the word on the sensor, in pixels.

    ICDAR 2015 training crops are 15 to 91 px high (5 to 95 %), with a median of 27 (IIIT5K: 34); those of 30 px or
    more, which are all scaled to 32 px for the model, differ only in sharpness.
    """
    if rng.random() >= config.small:
        return rng.uniform(20, 38)
    return rng.triangular(8 if length < 16 else 11, 36, 14)


def _photograph(rng: random.Random, params: Parameters, letters: float, config: RenderConfig) -> None:
    """Draws everything that happens between a sign and its pixels.

    `letters` is the height of the text in pixels: blur is proportional to it, so that it stays readable.
    """
    if rng.random() < config.shade:
        _shade(rng, params)
    if rng.random() < config.glare:
        params.glare_at = rng.uniform(-0.6, 0.6), rng.uniform(-0.7, 0.7)
        params.glare_inverse = 1 / rng.uniform(0.1, 0.8), 1 / rng.uniform(0.2, 1.2)
        params.glare = rng.uniform(0.2, 0.75)
    if rng.random() < config.occluded:
        _bar(rng, params)
    if rng.random() < config.defocus:
        # 0.05 of 40 px is a blur of 2 px, at which 'e' and 'c' just differ.
        params.sigma = letters * config.blur_limit * rng.uniform(0.3, 1.0)
    if letters >= 13 and rng.random() < config.motion:
        params.motion = rng.uniform(0.5, min(2.2, 0.09 * letters))
        params.motion_angle = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi)))
    if rng.random() < config.sharpened:
        params.sharpen, params.sharpen_reach = rng.uniform(0.3, 1.6), rng.uniform(0.6, 1.5)
    if rng.random() < config.toned:
        _tone(rng, params, rng.random() < config.negative / max(config.toned, 1e-9))
    if rng.random() < config.noisy:
        strength = (abs(rng.gauss(0, config.noise_level)) + 1) / 255
        if rng.random() < config.smoothed:
            params.noise_before = 1.5 * strength
        else:
            params.noise_after = strength
        params.chroma = rng.choice((0.0, 0.0, 0.4))
        params.noise_from = rng.random()
    if rng.random() < config.jpeg:
        params.quality = rng.randint(30, 95)


def _shade(rng: random.Random, params: Parameters) -> None:
    """From a gradual fall of light to the edge of a shadow."""
    angle = rng.uniform(0, 2 * math.pi)
    params.shade_direction = math.cos(angle), math.sin(angle)
    params.shade_at = rng.gauss(0, 0.3)
    params.shade_sharp = math.exp(rng.uniform(math.log(2), math.log(40)))
    params.shade_dark = rng.uniform(0.3, 0.9)


def _bar(rng: random.Random, params: Parameters) -> None:
    """Wires, bars, leaves, the edge of something: small, so that the text stays readable."""
    wide, high, form = params.wide, params.high, rng.random()
    if form < 0.5:
        params.bar_from = rng.uniform(0, wide), rng.uniform(0, high)
        params.bar_to = rng.uniform(0, wide), rng.uniform(0, high)
        params.bar = max(0.5, high * rng.uniform(0.01, 0.05))
    elif form < 0.8:
        params.bar_from = x, y = rng.uniform(0, wide), rng.uniform(0, high)
        params.bar_to = x + high * rng.uniform(-0.1, 0.1), y + high * rng.uniform(-0.1, 0.1)
        params.bar = max(0.5, high * rng.uniform(0.03, 0.10))
    else:
        edge = rng.choice((0.0, high))
        params.bar_from, params.bar_to = (0.0, edge), (wide, edge)
        params.bar = max(0.5, high * rng.uniform(0.03, 0.12))
    params.bar_color = unit(random_color(rng))


def _tone(rng: random.Random, params: Parameters, negative: bool) -> None:
    """Exposure, contrast, gamma (approximated by a parabola), colour of the light, occasionally a negative."""
    bow = min(0.9, max(-0.9, rng.gauss(0, 0.3)))
    gain = min(1.25, max(0.4, math.exp(rng.gauss(-0.05, 0.22))))
    contrast = rng.uniform(0.5, 1.1) if rng.random() < 0.35 else 1.0
    pivot = rng.random()
    values = []
    for _ in range(3):
        cast = gain * math.exp(rng.gauss(0, 0.07))
        base, slope, curve = cast * pivot * (1 - contrast), cast * contrast * (1 + bow), -cast * contrast * bow
        values.append((1 - base, -slope, -curve) if negative else (base, slope, curve))
    params.base, params.slope, params.curve = zip(*values, strict=True)
