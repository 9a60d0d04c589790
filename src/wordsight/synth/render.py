"""One word as a crop: letters set in a face, painted on a surface, seen at an angle, cut out as boxes cut words out."""

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from wordsight.synth.background import Backgrounds, Color, limit, luma, near, procedural, random_color
from wordsight.synth.degrade import degrade
from wordsight.synth.fonts import CAP_HEIGHT, FontBook
from wordsight.synth.geometry import View, random_view

_PAD = 12  # room around the text for outlines and shadows, pixels of the plane


@dataclass(frozen=True)
class Line:
    """A set line: its mask (L), cropped to the ink, and the baseline's height below the mask's top, pixels."""

    mask: Image.Image
    baseline: int


def set_line(
    book: FontBook, face: int, text: str, spacing: float = 0.0, jitter: float = 0.0, rng: random.Random | None = None
) -> Line | None:
    """Sets `text` in a face: `spacing` pixels more between letters, each up to `jitter` pixels off the baseline.

    Returns None if nothing is drawn.
    """
    pen, placed = 0.0, []
    for character in text:
        glyph = book.glyph(face, character)
        if glyph.mask is not None:
            rise = round(rng.gauss(0, jitter)) if rng is not None and jitter else 0
            placed.append((glyph.mask, round(pen) + glyph.left, glyph.top + rise))
            # Some script faces have letters without advance: keep them from falling onto each other.
            pen += max(glyph.advance, 0.3 * glyph.mask.width) + spacing
        else:
            pen += max(glyph.advance, CAP_HEIGHT * 0.2) + spacing
    if not placed:
        return None
    left, top = min(x for _, x, _ in placed), min(y for *_, y in placed)
    right = max(x + mask.width for mask, x, _ in placed)
    bottom = max(y + mask.height for mask, _, y in placed)
    canvas = Image.new("L", (right - left, bottom - top))
    for mask, x, y in placed:
        canvas.paste(255, (x - left, y - top), mask)
    return Line(canvas, -top)


def render_word(rng: random.Random, text: str, book: FontBook, backgrounds: Backgrounds) -> NDArray[np.uint8]:
    """A crop (h, w, 3) uint8 RGB showing `text`, or no text if it is empty. A function of the generator's state."""
    face = book.pick(rng, text)
    spacing = 0.0
    if rng.random() < 0.35:
        spacing = CAP_HEIGHT * (rng.uniform(-0.06, 0.12) if rng.random() < 0.7 else rng.uniform(0.1, 0.7))
    jitter = rng.uniform(0.5, 2.5) if rng.random() < 0.06 else 0.0
    line = set_line(book, face, text, spacing, jitter, rng) if text else None
    if line is None:
        return _textless(rng, backgrounds)
    plane, box = _plane(rng, book, face, line)
    plane = _weight(rng, plane)
    view = random_view(rng, box, plane.size)
    surface, palette = _surface(rng, view.size, backgrounds)
    picture = _paint(rng, plane, view, surface, palette)
    lowest = 9 if len(text) < 16 else 12
    return np.asarray(degrade(rng, picture, lowest))


def _textless(rng: random.Random, backgrounds: Backgrounds) -> NDArray[np.uint8]:
    height = rng.randint(24, 48)
    size = (round(height * rng.uniform(0.8, 5)), height)
    surface = (backgrounds.cut(rng, size) if rng.random() < 0.85 else None) or procedural(rng, size)
    return np.asarray(degrade(rng, surface))


def _plane(rng: random.Random, book: FontBook, face: int, line: Line) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The word among its neighbours: a mask, and the word's ink box in it."""
    width, height = line.mask.size
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
            w, h = near_line.mask.size
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
    plane = Image.new("L", (width + 2 * pad, height + 2 * pad))
    for near_line, x, y in neighbours:
        plane.paste(255, (x + pad, y + pad), near_line.mask)
    plane.paste(255, (pad, pad), line.mask)
    return plane, (pad, pad, pad + width, pad + height)


_THICKER = [min(255, v * 3) for v in range(256)]
_THINNER = [max(0, min(255, (v - 150) * 3)) for v in range(256)]
_OUTLINE = [min(255, v * 6) for v in range(256)]


def _weight(rng: random.Random, plane: Image.Image) -> Image.Image:
    """Strokes grown or shrunk a little, as paint, neon and print do."""
    form = rng.random()
    if form < 0.10:
        return plane.filter(ImageFilter.BoxBlur(1)).point(_THICKER)
    if form < 0.13:
        return ImageChops.lighter(plane.filter(ImageFilter.BoxBlur(1)).point(_THINNER), plane.point(lambda v: v // 2))
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


def _paint(rng: random.Random, plane: Image.Image, view: View, surface: Image.Image, color: Color) -> Image.Image:
    """Puts the letters with outline or shadow onto the surface, seen through the view."""
    outline = shadow = None
    form = rng.random()
    if form < 0.13:
        outline = plane.filter(ImageFilter.BoxBlur(rng.choice((1, 1, 2, 3)))).point(_OUTLINE)
    if 0.10 < form < 0.26:
        length = rng.uniform(1, 5)
        angle = rng.uniform(0, 2 * math.pi)
        shadow = ImageChops.offset(outline or plane, round(math.cos(angle) * length), round(math.sin(angle) * length))
        if rng.random() < 0.5:
            shadow = shadow.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 2)))
    hollow = outline is not None and rng.random() < 0.2
    if outline is None and shadow is None:
        letters = view.apply(plane)
    else:
        none = Image.new("L", plane.size)
        letters, outline_seen, shadow_seen = view.apply(
            Image.merge("RGB", (plane, outline or none, shadow or none))
        ).split()
        if shadow is not None:
            dark = (0, 0, 0) if luma(color) > 90 else (255, 255, 255)
            strength = rng.uniform(0.3, 1)
            surface.paste(near(rng, dark, 20), None, shadow_seen.point([int(v * strength) for v in range(256)]))
        if outline is not None:
            edge = near(rng, (0, 0, 0) if luma(color) > 128 else (255, 255, 255), 20) if rng.random() < 0.6 else None
            for _ in range(5):
                if edge is not None and abs(luma(edge) - luma(color)) > 60:
                    break
                edge = random_color(rng)
            if hollow:
                ground = surface.copy()
                surface.paste(color, None, outline_seen)
                surface.paste(ground, None, letters)
                return surface
            surface.paste(edge or (0, 0, 0), None, outline_seen)
    if rng.random() < 0.08:  # see-through paint and low light
        opacity = rng.uniform(0.55, 0.95)
        letters = letters.point([int(v * opacity) for v in range(256)])
    if rng.random() < 0.15:  # letters that are not of one colour
        fill = procedural(rng, surface.size, color) if rng.random() < 0.5 else _gradient(rng, surface.size, color)
        surface.paste(fill, None, letters)
    else:
        surface.paste(color, None, letters)
    return surface


def _gradient(rng: random.Random, size: tuple[int, int], color: Color) -> Image.Image:
    cells = bytes((*color, *near(rng, color, 40)))
    return Image.frombytes("RGB", rng.choice(((1, 2), (2, 1))), cells).resize(size, Image.Resampling.BICUBIC)
