"""One word as a crop: letters set in a face, painted on a surface, seen at an angle, cut out as boxes cut words out."""

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from wordsight.synth.background import Backgrounds, Color, limit, luma, near, procedural, random_color
from wordsight.synth.degrade import degrade
from wordsight.synth.fonts import CAP_HEIGHT, FontBook
from wordsight.synth.geometry import View, random_view
from wordsight.synth.setting import Line, set_line, stamp
from wordsight.synth.textless import textless

# How often a crop that nobody can read is painted again before it is left as it is.
_TRIES = 3
_PAD = 12  # room around the text for outlines and shadows, pixels of the plane


def render_word(rng: random.Random, text: str, book: FontBook, backgrounds: Backgrounds) -> NDArray[np.uint8]:
    """A crop (h, w, 3) uint8 RGB showing `text`, or no text if it is empty. A function of the generator's state."""
    face = book.pick(rng, text)
    spacing = 0.0
    if rng.random() < 0.35:
        spacing = CAP_HEIGHT * (rng.uniform(-0.06, 0.12) if rng.random() < 0.7 else rng.uniform(0.1, 0.7))
    jitter = rng.uniform(0.5, 2.5) if rng.random() < 0.06 else 0.0
    line = set_line(book, face, text, spacing, jitter, rng) if text else None
    if line is None:
        return textless(rng, book, backgrounds)
    plane, box = _plane(rng, book, face, line)
    plane = _weight(rng, plane)
    letters, distance = _distance(rng, len(text))
    view = random_view(rng, box, letters * distance)
    for _ in range(_TRIES):
        surface, color = _surface(rng, view.size, backgrounds)
        picture, mask = _paint(rng, plane, view, surface, color)
        crop = degrade(rng, picture, distance, letters)
        if _legible(crop, mask):
            break
    return crop


def _distance(rng: random.Random, length: int) -> tuple[float, float]:
    """How high the word is on the sensor, in pixels, and how many times larger it is to be painted before.

    ICDAR 2015 training crops are 15 to 91 px high (5 to 95 %), the median 27, IIIT5K's 34; of those from 30 px on,
    which all come down to 32 px for the model, only the sharpness differs.
    """
    if rng.random() < 0.4:
        return rng.uniform(24, 42), 1.0
    letters = rng.triangular(8 if length < 16 else 11, 36, 14)
    return letters, 1.5 if letters < 26 else 1.0


def _legible(crop: NDArray[np.uint8], mask: Image.Image) -> bool:
    """Whether the letters can be told from what is around them, in at least one colour channel.

    The means inside and outside must differ by 11 grey levels and by 0.75 of what either side varies by itself; below
    that, people who looked at contact sheets of ours could no longer read the words.
    """
    seen = mask.resize((crop.shape[1], crop.shape[0]), Image.Resampling.BOX)
    step = 1 if crop.shape[0] < 24 else 2  # a quarter of the pixels tells as much
    inside = np.asarray(seen)[::step, ::step].astype(np.float32).ravel()
    values = crop[::step, ::step].astype(np.float32).reshape(-1, 3)
    total, count = float(inside.sum()) / 255, len(inside)
    share = total / count
    if not 0.005 < share < 0.98:
        return share >= 0.98
    inside *= 1 / (255 * count)
    everywhere = np.full(count, 1 / count, dtype=np.float32)
    sums, means = inside @ values, everywhere @ values
    values = values * values
    squares, mean_squares = inside @ values, everywhere @ values
    mean_in, mean_out = sums / share, (means - sums) / (1 - share)
    spread_in = squares / share - mean_in**2
    spread_out = (mean_squares - squares) / (1 - share) - mean_out**2
    spread = np.sqrt(np.maximum(np.minimum(spread_in, spread_out), 0))
    difference = np.abs(mean_in - mean_out)
    return bool(((difference > 11) & (difference > 0.75 * spread)).any())


def _plane(rng: random.Random, book: FontBook, face: int, line: Line) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The word among its neighbours: a mask, and the word's ink box in it."""
    height, width = line.mask.shape
    gap = CAP_HEIGHT
    neighbours: list[tuple[Line, int, int]] = []
    if rng.random() < 0.35:
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
                neighbours.append((near_line, x, -distance - h))
            elif side == "below":
                neighbours.append((near_line, x, height + distance))
            elif side == "left":
                neighbours.append((near_line, -distance - w, line.baseline - near_line.baseline))
            else:
                neighbours.append((near_line, width + distance, line.baseline - near_line.baseline))
    pad = _PAD + (gap if neighbours else 0)
    plane = np.zeros((height + 2 * pad, width + 2 * pad), dtype=np.uint8)
    for near_line, x, y in neighbours:
        stamp(plane, near_line.mask, x + pad, y + pad)
    stamp(plane, line.mask, pad, pad)
    return Image.fromarray(plane), (pad, pad, pad + width, pad + height)


_LEVELS = np.arange(256)
_THICKER = np.minimum(255, _LEVELS * 3).astype(np.uint8)
_THINNER = np.clip((_LEVELS - 140) * 2.2, 0, 255).astype(np.uint8)
_OUTLINE = np.minimum(255, _LEVELS * 6).astype(np.uint8)


def _blurred(plane: Image.Image, radius: float, table: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(table[np.asarray(plane.filter(ImageFilter.BoxBlur(radius)))])


def _scaled(mask: Image.Image, factor: float) -> Image.Image:
    return Image.fromarray((np.asarray(mask) * np.float32(factor)).astype(np.uint8))


def _weight(rng: random.Random, plane: Image.Image) -> Image.Image:
    """Strokes grown or shrunk a little, as paint, neon and print do."""
    form = rng.random()
    if form < 0.10:
        return _blurred(plane, 1, _THICKER)
    if form < 0.13:
        return ImageChops.lighter(_blurred(plane, 0.5, _THINNER), _scaled(plane, 0.5))
    return plane


def _surface(rng: random.Random, size: tuple[int, int], backgrounds: Backgrounds) -> tuple[Image.Image, Color]:
    """The background and a colour for letters that can be told from it."""
    surface = None
    if len(backgrounds) and rng.random() < 0.35:
        surface = backgrounds.cut(rng, size)
    elif len(backgrounds) and rng.random() < 0.2:  # paint on a real wall
        cut = backgrounds.cut(rng, size)
        if cut is not None:
            surface = Image.blend(cut, Image.new("RGB", size, random_color(rng)), rng.uniform(0.4, 0.8))
    if surface is None:
        surface = procedural(rng, size)
    mean = surface.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    base: Color = mean if isinstance(mean, tuple) and len(mean) == 3 else (128, 128, 128)
    # Least difference in brightness: usually clear, at times hardly there.
    wanted = rng.uniform(30, 70) if rng.random() < 0.25 else rng.uniform(60, 160)
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


def _paint(
    rng: random.Random, plane: Image.Image, view: View, surface: Image.Image, color: Color
) -> tuple[Image.Image, Image.Image]:
    """Puts the letters with outline or shadow onto the surface, seen through the view; returns them as a mask too."""
    outline = shadow = None
    form = rng.random()
    if form < 0.13:
        outline = _blurred(plane, rng.choice((1, 1, 2, 3)), _OUTLINE)
    if 0.10 < form < 0.26:
        length = rng.uniform(1, 5)
        angle = rng.uniform(0, 2 * math.pi)
        shadow = ImageChops.offset(outline or plane, round(math.cos(angle) * length), round(math.sin(angle) * length))
        if rng.random() < 0.5:
            shadow = shadow.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 2)))
    letters = view.apply(plane)
    if shadow is not None:
        dark = (0, 0, 0) if luma(color) > 90 else (255, 255, 255)
        surface.paste(near(rng, dark, 20), None, _scaled(view.apply(shadow), rng.uniform(0.3, 1)))
    if outline is not None:
        around = view.apply(outline)
        if rng.random() < 0.2:  # an outline alone
            rim = ImageChops.subtract(around, letters)
            surface.paste(color, None, rim)
            return surface, rim
        surface.paste(_edge(rng, color), None, around)
    if rng.random() < 0.08:  # see-through paint and low light
        letters = _scaled(letters, rng.uniform(0.55, 0.95))
    if rng.random() < 0.15:  # letters that are not of one colour
        fill = procedural(rng, surface.size, color) if rng.random() < 0.5 else _gradient(rng, surface.size, color)
        surface.paste(fill, None, letters)
    else:
        surface.paste(color, None, letters)
    return surface, letters


def _edge(rng: random.Random, color: Color) -> Color:
    """A colour for the outline of letters of `color`."""
    for _ in range(5):
        edge = random_color(rng)
        if rng.random() < 0.4 and abs(luma(edge) - luma(color)) > 60:
            return edge
    return near(rng, (0, 0, 0) if luma(color) > 128 else (255, 255, 255), 20)


def _gradient(rng: random.Random, size: tuple[int, int], color: Color) -> Image.Image:
    cells = bytes((*color, *near(rng, color, 40)))
    return Image.frombytes("RGB", rng.choice(((1, 2), (2, 1))), cells).resize(size, Image.Resampling.BICUBIC)
