"""What happens between a sign and its pixels: light, lens, sensor, JPEG. Pictures are float32 (rows, columns, 3)."""

import math
import random

import cv2
import numpy as np
from numpy.typing import NDArray

from wordsight.synth.background import noise_bank, random_color
from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import Floats, Pixels, covered, unit
from wordsight.synth.geometry import View

# Pixels of a kernel: blurs have a deviation of up to 1.6 px (`RenderConfig.blur_limit` times 32).
_WHERE = np.arange(-3, 4)
_STEPS = np.linspace(-1, 1, 7)[:, None]  # of a motion


def photographed(
    rng: random.Random,
    picture: Floats,
    letters: Floats,
    view: View,
    height: float,
    config: RenderConfig,
    contrast: float = 0.0,
) -> Pixels:
    """What the sensor recorded of a painted surface: uint8 RGB (rows, columns, 3).

    Args:
        rng: decides what happens.
        picture: the surface.
        letters: how much of it are letters, 0 to 1 (rows, columns).
        view: of it.
        height: of the letters in pixels; blur is proportional to it, so that they stay readable.
        config: how often and how strongly each effect occurs.
        contrast: least difference between letters and surroundings, see `told_apart`; 0: any.
    """
    if rng.random() < config.shade:
        picture = _shaded(rng, picture)
    if rng.random() < config.glare:
        picture = _glared(rng, picture)
    if rng.random() < config.occluded:
        picture = _occluded(rng, picture, view)
    grain = (abs(rng.gauss(0, config.noise_level)) + 1) / 255 if rng.random() < config.noisy else 0.0
    smoothed = rng.random() < config.smoothed
    if grain and smoothed:
        picture = noisy(rng, picture, 1.5 * grain)
    picture, letters = _focused(rng, picture, letters, view, height, config)
    if rng.random() < config.toned:
        picture = _toned(rng, picture, rng.random() < config.negative / config.toned)
    picture = np.clip(told_apart(picture, letters, contrast), 0, 1)
    if grain and not smoothed:
        picture = np.clip(noisy(rng, picture, grain), 0, 1)
    pixels = (picture * 255).round().astype(np.uint8)
    return compressed(pixels, rng.randint(30, 95)) if rng.random() < config.jpeg else pixels


def _places(picture: Floats) -> tuple[Floats, Floats]:
    """How far pixels are from the middle, across (columns) and down (rows, 1), in sizes of the picture."""
    rows, columns = picture.shape[:2]
    across: Floats = (np.arange(columns, dtype=np.float32) + 0.5) / columns - 0.5
    down: Floats = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows - 0.5
    return across, down


def _shaded(rng: random.Random, picture: Floats) -> Floats:
    """From a gradual fall of light to the edge of a shadow."""
    angle, (across, down) = rng.uniform(0, 2 * math.pi), _places(picture)
    side = across * math.cos(angle) + down * math.sin(angle) - rng.gauss(0, 0.3)
    lit = 1 / (1 + np.exp(-side * math.exp(rng.uniform(math.log(2), math.log(40)))))
    dark = rng.uniform(0.3, 0.9)
    return picture * (dark + (1 - dark) * lit)[..., None]


def _glared(rng: random.Random, picture: Floats) -> Floats:
    """A highlight."""
    across, down = _places(picture)
    away = ((across - rng.uniform(-0.6, 0.6)) / rng.uniform(0.1, 0.8)) ** 2
    away = away + ((down - rng.uniform(-0.7, 0.7)) / rng.uniform(0.2, 1.2)) ** 2
    return covered(picture, (1, 1, 1), np.exp(-away) * rng.uniform(0.2, 0.75))


def _occluded(rng: random.Random, picture: Floats, view: View) -> Floats:
    """Wires, bars, leaves, the edge of something: small, so that the text stays readable."""
    # In pixels of the crop, whose scale is the same across and down.
    wide, high, form = view.wide, view.high, rng.random()
    x0, y0 = rng.uniform(0, wide), rng.uniform(0, high)
    if form < 0.5:
        x1, y1, thick = rng.uniform(0, wide), rng.uniform(0, high), rng.uniform(0.01, 0.05)
    elif form < 0.8:
        x1, y1 = x0 + high * rng.uniform(-0.1, 0.1), y0 + high * rng.uniform(-0.1, 0.1)
        thick = rng.uniform(0.03, 0.10)
    else:
        x0, x1, thick = 0.0, wide, rng.uniform(0.03, 0.12)
        y0 = y1 = rng.choice((0.0, high))
    across, down = _places(picture)
    px, py, dx, dy = (across + 0.5) * wide - x0, (down + 0.5) * high - y0, x1 - x0, y1 - y0
    along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-6), 0, 1)
    cover = max(0.5, high * thick) - np.hypot(px - along * dx, py - along * dy) + 0.5
    return covered(picture, unit(random_color(rng)), np.clip(cover, 0, 1))


def noisy(rng: random.Random, picture: Floats, strength: float) -> Floats:
    """A picture with normal noise of a standard deviation, at times partly coloured, from anywhere in the bank."""
    bank = noise_bank().ravel()
    start = int(rng.random() * (bank.size - picture.size))
    field = bank[start : start + picture.size].reshape(picture.shape)
    grey = field[..., :1]
    return picture + (grey + (field - grey) * rng.choice((0.0, 0.0, 0.4))) * strength


def _focused(
    rng: random.Random, picture: Floats, letters: Floats, view: View, height: float, config: RenderConfig
) -> tuple[Floats, Floats]:
    """Picture and mask of the letters out of focus, smeared and sharpened."""
    # 0.05 of 40 px is a blur of 2 px, at which 'e' and 'c' just differ.
    sigma = height * config.blur_limit * rng.uniform(0.3, 1.0) if rng.random() < config.defocus else 0.0
    motion, angle = 0.0, rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi)))
    if height >= 13 and rng.random() < config.motion:
        motion = rng.uniform(0.5, min(2.2, 0.09 * height))
    sharpen, reach = rng.uniform(0.3, 1.6) if rng.random() < config.sharpened else 0.0, rng.uniform(0.6, 1.5)
    if not (sigma or motion or sharpen):
        return picture, letters
    scale = np.array((view.columns / view.wide, view.rows / view.high))
    way = motion * np.array((math.cos(angle), math.sin(angle)))
    stacked = np.dstack((picture, letters))
    both = lens(stacked, sigma * scale, way * scale, sharpen, reach)
    return both[..., :3], np.clip(both[..., 3], 0, 1)


def lens(
    picture: Floats, sigma: NDArray[np.float64], motion: NDArray[np.float64], sharpen: float, reach: float
) -> Floats:
    """Applies defocus, motion blur and sharpening with one 7 x 7 kernel.

    Args:
        picture: (H, W, C).
        sigma: standard deviation of the blur across and down, pixels.
        motion: half the motion of the picture across and down, pixels.
        sharpen: amount of unsharp masking.
        reach: standard deviation of its blur, pixels.
    """
    kernel = _spread(sigma, motion)
    if sharpen:
        kernel = (1 + sharpen) * kernel - sharpen * _spread(np.hypot(sigma, reach), motion)
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)


def _spread(sigma: NDArray[np.float64], motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point spread function, (7, 7), with sum 1."""
    # A deviation of at least a quarter pixel: exp(-8) for the neighbours is nothing.
    offsets = (_WHERE - _STEPS * motion[:, None, None]) / np.maximum(sigma, 0.25)[:, None, None]
    across, down = np.exp(-0.5 * offsets**2)  # (steps, 7) each
    kernel = down.T @ across
    return np.asarray(kernel / kernel.sum())


def _toned(rng: random.Random, picture: Floats, negative: bool) -> Floats:
    """Exposure, contrast, gamma (approximated by a parabola), colour of the light, occasionally a negative."""
    bow = min(0.9, max(-0.9, rng.gauss(0, 0.3)))
    gain = min(1.25, max(0.4, math.exp(rng.gauss(-0.05, 0.22))))
    contrast = rng.uniform(0.5, 1.1) if rng.random() < 0.35 else 1.0
    pivot = rng.random()
    cast = np.array([gain * math.exp(rng.gauss(0, 0.07)) for _ in range(3)], np.float32)
    base, slope, curve = cast * (pivot * (1 - contrast)), cast * (contrast * (1 + bow)), cast * (-contrast * bow)
    toned = base + picture * (slope + curve * picture)
    return 1 - toned if negative else toned


def told_apart(picture: Floats, letters: Floats, contrast: float) -> Floats:
    """Changes the colour of letters that can hardly be distinguished from their surroundings, until they can.

    The means inside and outside must differ by `contrast` in at least one channel, and by 0.75 of the smaller standard
    deviation; below that (and 11 of 255 grey levels), people could no longer read the words on our contact sheets.
    """
    share = float(letters.mean())
    if not contrast or not 0.005 < share < 0.98:
        return picture
    weights = np.stack((letters / share, (1 - letters) / (1 - share)), 1) / np.float32(letters.size)
    # Row by row, or BLAS would start threads, which wait for each other where other programs run.
    (inside, outside), squares = ((weights @ values).sum(0) for values in (picture, picture**2))
    vary = np.minimum(squares[0] - inside**2, squares[1] - outside**2)
    wanted = np.maximum(contrast, 0.75 * np.sqrt(np.maximum(vary, 0)))
    if (np.abs(inside - outside) >= wanted).any():
        return picture
    sign = -1.0 if (inside - outside).mean() < 0 else 1.0
    if abs(outside.mean() + sign * wanted.max() - 0.5) > 0.55:
        sign = -sign
    move = np.asarray(outside + sign * wanted * 1.1 - inside, np.float32)
    return picture + letters[..., None] * move


def compressed(picture: Pixels, quality: int) -> Pixels:
    """A picture after JPEG compression, chroma at half resolution."""
    stored = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
