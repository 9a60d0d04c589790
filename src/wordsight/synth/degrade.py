"""What happens between a sign and its pixels: light, distance, focus, motion, sensor, sharpening, JPEG."""

import io
import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from PIL.JpegImagePlugin import JpegImageFile

from wordsight.synth.background import noise_window, random_color

# Standard deviation of brightness below which words on real crops are no longer read (see tests of the labels there:
# the faintest legible ICDAR 2015 training crops have 5 to 8 grey levels).
_LEAST_SPREAD = 7.0
Pixels = NDArray[np.uint8]

_CHANNELS = np.array([0, 256, 512], dtype=np.uint16)
_RAMP = np.linspace(0, 1, 256, dtype=np.float32)
_RESIZE = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def light(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Shade and highlights: a smooth field multiplied onto the picture, or glare added to it."""
    columns, rows = rng.choice(((2, 1), (1, 2), (2, 2), (3, 2), (6, 2)))
    darkest = rng.randint(60, 220)
    cells = bytes(rng.randint(darkest, 255) for _ in range(columns * rows))
    sharp = Image.Resampling.NEAREST if columns == 6 and rng.random() < 0.3 else Image.Resampling.BICUBIC
    field = Image.frombytes("L", (columns, rows), cells).resize(picture.size, sharp)
    field = Image.merge("RGB", (field, field, field))
    if rng.random() < 0.25:
        return ImageChops.screen(picture, ImageChops.invert(field))
    return ImageChops.multiply(picture, field)


def occlude(rng: random.Random, picture: Image.Image) -> None:
    """Things in front: bars, wires, blots. Small against the text, which must stay readable."""
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    color = random_color(rng)
    form = rng.random()
    if form < 0.5:
        thick = max(1, round(height * rng.uniform(0.02, 0.10)))
        draw.line(
            (rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0, height)),
            fill=color,
            width=thick,
        )
    elif form < 0.8:
        size = height * rng.uniform(0.06, 0.22)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + size, y + size * rng.uniform(0.5, 1.5)), fill=color)
    else:
        edge = height * rng.uniform(0.03, 0.15)
        y = rng.choice((0.0, height - edge))
        draw.rectangle((0, y, width, y + edge), fill=color)


def motion(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Motion blur over 2 to 5 pixels in any direction: the mean along a line, as a 5x5 kernel."""
    angle = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi)))
    reach = rng.uniform(0.7, 2.2)
    kernel = [0.0] * 25
    for step in range(-8, 9):
        x, y = math.cos(angle) * reach * step / 8, math.sin(angle) * reach * step / 8
        kernel[5 * round(y + 2) + round(x + 2)] += 1
    return picture.filter(ImageFilter.Kernel((5, 5), kernel))


def tone(rng: random.Random, values: Pixels) -> Pixels:
    """Exposure, contrast, gamma, colour of the light, and now and then a negative: one table a channel."""
    gamma = math.exp(rng.gauss(0, 0.25))
    gain = min(1.25, max(0.4, math.exp(rng.gauss(-0.05, 0.22))))
    contrast = rng.uniform(0.5, 1.1) if rng.random() < 0.35 else 1.0
    pivot = rng.random()
    curve = ((_RAMP**gamma - pivot) * contrast + pivot) * gain
    if rng.random() < 0.03:
        curve = 1 - curve
    cast = np.array([[math.exp(rng.gauss(0, 0.07))] for _ in range(3)], dtype=np.float32)
    table = np.clip(curve[None] * cast * 255, 0, 255).astype(np.uint8)
    return np.asarray(table.ravel().take(values + _CHANNELS))


def noise(rng: random.Random, values: Pixels, strength: float) -> Pixels:
    """Sensor noise of `strength` grey levels, coloured or not.

    A picture in which nothing could be seen under it any more is spread to `_LEAST_SPREAD` grey levels before.
    """
    field = noise_window(rng, *values.shape[:2])
    if field.shape[:2] != values.shape[:2]:
        return values  # wider than the bank: such a strip shows no noise at 128 px anyway
    if rng.random() < 0.4:
        field = field[..., :1]
    grey = values[::2, ::2, 1].astype(np.float32)
    spread, mean = float(grey.std()), float(grey.mean())
    noisy = field * np.float32(strength)
    if 0.5 < spread < _LEAST_SPREAD:
        factor = _LEAST_SPREAD / spread
        noisy = noisy + values * np.float32(factor) + np.float32(min(max(mean, 40.0), 215.0) - mean * factor)
    else:
        noisy = noisy + values
    return np.asarray(np.clip(noisy, 0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Through JPEG and back."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=2 if quality < 90 else 0)
    buffer.seek(0)
    file = JpegImageFile(buffer)  # Image.open would look for other formats and for further pictures first
    file.load()
    return file


def degrade(rng: random.Random, picture: Image.Image, distance: float, letters: float) -> Pixels:
    """The whole chain: light and things in front, `distance` times smaller, lens, sensor, camera software, JPEG.

    `letters` is the height in pixels of the text afterwards: blur goes with it, so that it stays readable.
    """
    if rng.random() < 0.30:
        picture = light(rng, picture)
    if rng.random() < 0.05:
        occlude(rng, picture)
    if distance > 1:
        size = (
            max(4, round(picture.width / distance * rng.uniform(0.9, 1.1))),
            max(4, round(picture.height / distance)),
        )
        picture = picture.resize(size, rng.choice(_RESIZE))
    if letters >= 16 and rng.random() < 0.12:
        picture = motion(rng, picture)
    if rng.random() < 0.35:
        # 0.05 of 40 px is a blur of 2 px, at which 'e' and 'c' just differ. A lens out of focus spreads points to discs
        # with edges, nearer to a box than to a bell (and the box is three times quicker).
        sigma = letters * rng.uniform(0.01, 0.05)
        blur = ImageFilter.GaussianBlur(sigma) if rng.random() < 0.3 else ImageFilter.BoxBlur(1.6 * sigma)
        picture = picture.filter(blur)
    values = np.asarray(picture)
    if rng.random() < 0.75:
        values = tone(rng, values)
    if rng.random() < 0.45:
        values = noise(rng, values, abs(rng.gauss(0, 6)) + 1)
    return _processed(rng, values, letters)


def _processed(rng: random.Random, values: Pixels, letters: float) -> Pixels:
    """What the software of cameras and of those who stored the crops does: smoothing, sharpening, JPEG, enlarging."""
    smooth, sharpen, store = rng.random() < 0.15, rng.random() < 0.2, rng.random() < 0.55
    enlarge = letters < 20 and values.shape[1] < 200 and rng.random() < 0.2
    if not (smooth or sharpen or store or enlarge):
        return values
    picture = Image.fromarray(values)
    if smooth:
        picture = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.4, 0.9)))
    if sharpen:
        picture = picture.filter(ImageFilter.UnsharpMask(rng.uniform(0.6, 2), rng.randint(40, 200), 0))
    if store:
        picture = jpeg(picture, rng.randint(30, 95))
    if enlarge:
        zoom = rng.uniform(1.3, 2.5)
        picture = picture.resize((round(picture.width * zoom), round(picture.height * zoom)), rng.choice(_RESIZE[1:]))
    return np.asarray(picture)
