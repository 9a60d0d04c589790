"""Backgrounds of words: procedural surfaces, or random parts of the pictures in a folder."""

import math
import random
from collections.abc import Sequence
from colorsys import hsv_to_rgb
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wordsight.errors import DataError

Color = tuple[int, int, int]

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_CACHED = 8000  # decoded pictures of some 30 kB
_SHORT_SIDE = 80  # pixels of cached ones: crops are 30 to 50 px high, and thousands should fit into memory
# Sixths of the colour circle: red, orange, amber, yellow, green, teal, sky, blue.
_SIGN_HUES = (0.0, 0.0, 0.0, 0.5, 0.8, 1.0, 2.2, 2.7, 3.3, 3.6, 3.6)


@lru_cache(maxsize=1)
def noise_bank() -> NDArray[np.float32]:
    """A fixed field (512, 2048, 3) of standard normal noise, clipped to +-4, from which random windows are taken."""
    field = np.random.default_rng(20150).standard_normal((512, 2048, 3), dtype=np.float32)
    return np.clip(field, -4, 4)


def noise_window(rng: random.Random, height: int, width: int) -> NDArray[np.float32]:
    """A random window (height, width, 3) of the noise bank, smaller if the bank is."""
    bank = noise_bank()
    y, x = rng.randint(0, max(0, bank.shape[0] - height)), rng.randint(0, max(0, bank.shape[1] - width))
    return bank[y : y + height, x : x + width]


def limit(values: tuple[float, float, float]) -> Color:
    """Three numbers as a colour of 8 bits per channel."""
    red, green, blue = (min(255, max(0, int(v))) for v in values)
    return red, green, blue


def luma(color: Sequence[float]) -> float:
    """Brightness 0..255 of a colour (Rec. 601 weights, as in JPEG)."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def random_color(rng: random.Random) -> Color:
    """Colours of real surfaces: often grey or muted, but white, black and strong ones too."""
    form = rng.random()
    if form < 0.28:
        grey = rng.randint(0, 255)
        return limit((grey + rng.gauss(0, 6), grey + rng.gauss(0, 6), grey + rng.gauss(0, 6)))
    if form < 0.40:
        grey = rng.choice((rng.randint(225, 255), rng.randint(0, 35)))
        return grey, grey, grey
    # Signs are mostly red, yellow, green or blue; other hues are rarer.
    hue = (rng.choice(_SIGN_HUES) + rng.gauss(0, 0.25)) % 6 if rng.random() < 0.7 else rng.random() * 6
    value = rng.random() ** 0.7
    saturation = rng.random() ** 1.5 if form < 0.72 else 0.55 + 0.45 * rng.random()
    red, green, blue = hsv_to_rgb(hue / 6, saturation, value)
    return limit((255 * red, 255 * green, 255 * blue))


def near(rng: random.Random, color: Color, spread: float) -> Color:
    """A colour not far from `color`."""
    shift = rng.gauss(0, spread)
    return limit(tuple(c + shift + rng.gauss(0, spread / 3) for c in color))  # type: ignore[arg-type]


def contrasting(rng: random.Random, ground: Color, least: float) -> Color:
    """A colour that differs from `ground` by more than `least` grey levels, if need be one near black or white."""
    for _ in range(12):
        color = random_color(rng)
        if abs(luma(color) - luma(ground)) > least:
            return color
    return near(rng, (20, 20, 20) if luma(ground) > 128 else (240, 240, 240), 12)


def _smooth(rng: random.Random, size: tuple[int, int], color: Color, spread: float) -> Image.Image:
    """Clouds, stains, gradients: a few random colours, enlarged smoothly."""
    columns, rows = rng.choice(((2, 1), (1, 2), (2, 2), (3, 2), (5, 3), (9, 4)))
    field = noise_window(rng, rows, columns)
    cells = np.asarray(color, dtype=np.float32) + spread * (field[..., :1] + field / 3)
    cells = np.clip(cells, 0, 255).astype(np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def _grain(rng: random.Random, picture: Image.Image, strength: float) -> Image.Image:
    """Plaster, stone, cloth, wood: noise with different grain sizes along and across."""
    width, height = picture.size
    step_x, step_y = rng.choice(((1, 1), (2, 2), (3, 3), (8, 1), (1, 6), (4, 2)))
    field = noise_window(rng, height // step_y + 1, width // step_x + 1)[..., :1]
    grey = Image.fromarray((128 + 31 * field[..., 0]).astype(np.uint8))
    grey = grey.resize(picture.size, Image.Resampling.BILINEAR)
    shift = (np.asarray(grey, dtype=np.float32) - 128) * (strength / 31)
    return Image.fromarray(np.clip(np.asarray(picture) + shift[..., None], 0, 255).astype(np.uint8))


def _stripes(rng: random.Random, picture: Image.Image, color: Color) -> None:
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    other, gap, thick = near(rng, color, 45), rng.randint(4, 28), rng.randint(1, 10)
    slope = rng.choice((0.0, 0.0, rng.uniform(-1.5, 1.5)))
    for x in range(-int(abs(slope) * height) - gap, width + int(abs(slope) * height), gap + thick):
        draw.line((x, 0, x + slope * height, height), fill=other, width=thick)


def _bricks(rng: random.Random, picture: Image.Image, color: Color) -> None:
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    mortar, high = near(rng, color, 45), rng.randint(7, 24)
    wide, offset, thick = int(high * rng.uniform(1, 3.5)), rng.randint(0, high), rng.choice((1, 1, 2))
    for row, y in enumerate(range(-offset, height, high)):
        draw.line((0, y, width, y), fill=mortar, width=thick)
        for x in range((row % 2) * wide // 2 - offset, width, wide):
            draw.line((x, y, x, y + high), fill=mortar, width=thick)


def _shapes(rng: random.Random, picture: Image.Image, spread: float) -> None:
    """Edges of signs, windows, pipes, blots."""
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    base = picture.getpixel((width // 2, height // 2))
    color: Color = base if isinstance(base, tuple) and len(base) == 3 else (128, 128, 128)
    for _ in range(rng.randint(1, 4)):
        fill = near(rng, color, spread) if rng.random() < 0.75 else random_color(rng)
        x, y = rng.randint(-width // 4, width), rng.randint(-height // 4, height)
        w, h = rng.randint(2, max(3, width)), rng.randint(2, max(3, height))
        form = rng.random()
        if form < 0.4:
            draw.rectangle((x, y, x + w, y + h), fill=fill)
        elif form < 0.6:
            draw.ellipse((x, y, x + w, y + h), fill=fill)
        elif form < 0.85:
            draw.line((x, y, x + rng.randint(-w, w), y + rng.randint(-h, h)), fill=fill, width=rng.randint(1, 5))
        else:
            draw.polygon([(rng.randint(0, width), rng.randint(0, height)) for _ in range(3)], fill=fill)


def procedural(rng: random.Random, size: tuple[int, int], color: Color | None = None) -> Image.Image:
    """A surface of (width, height) pixels around `color` (random if None)."""
    color = color or random_color(rng)
    form = rng.random()
    flat = form < 0.30
    picture = Image.new("RGB", size, color) if flat else _smooth(rng, size, color, rng.choice((6, 12, 25, 45)))
    if form > 0.88:
        _bricks(rng, picture, color)
    elif form > 0.78:
        _stripes(rng, picture, color)
    elif form > 0.62:
        _shapes(rng, picture, rng.choice((15, 40)))
    if rng.random() < 0.2:
        picture = _grain(rng, picture, rng.choice((3, 5, 8, 14, 22)))
    return picture


class Backgrounds:
    """Random parts of the pictures below a folder (none without a folder)."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Lists the pictures.

        Raises:
            DataError: `folder` does not exist or has no JPEG, PNG, WebP or BMP.
        """
        self._paths: list[Path] = []
        if folder is not None:
            if not Path(folder).is_dir():
                raise DataError(f"{folder}: no such folder of backgrounds; give a folder with pictures")
            self._paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in _PICTURES)
            if not self._paths:
                raise DataError(f"{folder}: no picture in it; backgrounds are JPEG, PNG, WebP or BMP files")

    def __len__(self) -> int:
        return len(self._paths)

    def cut(self, rng: random.Random, size: tuple[int, int], nearest: float = 0.35) -> Image.Image | None:
        """A random part of a random picture, resized to (width, height); None if there is no (readable) picture.

        It is at least `nearest` times as wide as the largest part of that shape.
        """
        if not self._paths:
            return None
        picture = _decoded(rng.choice(self._paths))
        if picture is None:
            return None
        width, height = picture.size
        zoom = min(width / size[0], height / size[1]) * rng.uniform(nearest, 1.0)
        wide, high = max(2.0, size[0] * zoom), max(2.0, size[1] * zoom)
        x, y = rng.uniform(0, max(0.0, width - wide)), rng.uniform(0, max(0.0, height - high))
        part = picture.resize(size, Image.Resampling.BILINEAR, (x, y, min(x + wide, width), min(y + high, height)))
        return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


@lru_cache(maxsize=_CACHED)
def _decoded(path: Path) -> Image.Image | None:
    """A picture reduced to `_SHORT_SIDE`; None if it cannot be read."""
    try:
        with Image.open(path) as file:
            factor = _SHORT_SIDE / min(file.size)
            size = (math.ceil(file.width * factor), math.ceil(file.height * factor))
            if factor < 1:
                file.draft("RGB", size)
            picture = file.convert("RGB")
        return picture.resize(size, Image.Resampling.BILINEAR) if factor < 1 else picture
    except (OSError, ValueError):
        return None
