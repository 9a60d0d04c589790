"""Sampling a rendered text: how it is set, outlines, shadows, a surface, a view."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from wordsight.synth.background import Backgrounds, Color, contrasting, limit, luma, near, procedural, random_color
from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import Draft, Floats, Layer, Pixels, reduced, unit
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT
from wordsight.synth.geometry import Box, View, random_view
from wordsight.synth.photograph import photographed
from wordsight.synth.setting import Line, set_line, set_stack, stamp
from wordsight.synth.textless import textless

_PAD = 12  # margin around the text for outlines and shadows, pixels of the plane
_CLEAR = (11, 24)  # range of the least contrast of a word, in grey levels; see `photograph.told_apart`


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
    elif " " in text and rng.random() < 0.3:
        gap = CAP_HEIGHT * rng.uniform(-0.1, 0.0)  # as in faces with narrow spaces, and on crammed signs
    jitter = rng.uniform(0.5, 2.0) if rng.random() < config.dancing else 0.0
    return set_line(book, face, text, spacing, jitter, rng, gap), False


def drafted(
    rng: random.Random,
    plane: Pixels,
    box: Box,
    height: float,
    backgrounds: Backgrounds,
    config: RenderConfig,
    canvas: tuple[int, int],
    curls: bool,
    natural: bool,
) -> Draft:
    """A draft of letters about `height` pixels high that are set in `box` of a plane: view, background and paint.

    `canvas`, `curls` and `natural`: see `geometry.random_view`.
    """
    plane = _weight(rng, plane, config)
    view = random_view(rng, box, height, config, canvas, curls, natural)
    surface, color = _surface(rng, (view.columns, view.rows), backgrounds, config)
    plane, below = _layers(rng, plane, color, config)
    return Draft(
        view,
        reduced(plane, view.shrink),
        np.asarray(surface),
        unit(color),
        rng.uniform(0.55, 0.95) if rng.random() < config.translucent else 1.0,
        _fill(rng, view, color, config),
        [replace(layer, mask=reduced(layer.mask, view.shrink)) for layer in below],
        rng.uniform(*_CLEAR) / 255,
    )


def blank(
    rng: random.Random,
    book: FontBook,
    backgrounds: Backgrounds,
    config: RenderConfig,
    canvas: tuple[int, int],
    natural: bool,
) -> tuple[Pixels, View]:
    """A crop without text, for which a reader should return nothing."""
    picture, finished = textless(rng, book, backgrounds)
    wide, high = picture.size
    smaller = min(1.0, canvas[1] / wide, canvas[0] / high) if natural else 1.0
    wide, high = max(8, round(wide * smaller)), max(8, round(high * smaller))
    view = View(min(high, canvas[0]), min(wide, canvas[1]), high, wide)
    pixels = np.asarray(picture.resize((view.columns, view.rows), Image.Resampling.BOX))
    if finished:
        return pixels, view
    ground, letters = pixels.astype(np.float32) / 255, np.zeros(pixels.shape[:2], np.float32)
    return photographed(rng, ground, letters, view, 0.6 * high, config), view


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


def _fill(rng: random.Random, view: View, color: Color, config: RenderConfig) -> Floats | None:
    """Paint of letters, at times of two colours or textured."""
    form = rng.random()
    if form > config.gradient + config.textured:
        return None
    if form > config.gradient:
        return np.asarray(procedural(rng, (view.columns, view.rows), color), np.float32) / 255
    angle, steep = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi))), rng.uniform(0.8, 3)
    across = np.linspace(-0.5, 0.5, view.columns, dtype=np.float32) * (steep * math.cos(angle))
    down = np.linspace(-0.5, 0.5, view.rows, dtype=np.float32)[:, None] * (steep * math.sin(angle))
    share: Floats = np.clip(0.5 + across + down, 0, 1)[..., None]
    first, second = np.array((unit(color), unit(near(rng, color, 45))), np.float32)
    return np.asarray(first + (second - first) * share)


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


def letter_height(rng: random.Random, length: int, config: RenderConfig) -> float:
    """Height of a word of so many letters on the sensor, in pixels.

    ICDAR 2015 training crops are 15 to 91 px high (5 to 95 %), with a median of 27 (IIIT5K: 34); those of 30 px or
    more, which are all scaled to 32 px for the model, differ only in sharpness.
    """
    if rng.random() >= config.small:
        return rng.uniform(20, 38)
    return rng.triangular(8 if length < 16 else 11, 36, 14)
