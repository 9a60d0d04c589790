"""The conditions under which a word is photographed: light, lens, sensor, software, as numbers of a `Look`."""

import math
import random

from wordsight.synth.background import random_color
from wordsight.synth.draft import Look
from wordsight.synth.knobs import Knobs


def letter_height(rng: random.Random, length: int, knobs: Knobs) -> float:
    """How high the word is on the sensor, in pixels.

    ICDAR 2015 training crops are 15 to 91 px high (5 to 95 %), the median 27, IIIT5K's 34; of those from 30 px on,
    which all come down to 32 px for the model, only the sharpness differs.
    """
    if rng.random() >= knobs.small:
        return rng.uniform(20, 38)
    return rng.triangular(8 if length < 16 else 11, 36, 14)


def photographed(rng: random.Random, look: Look, letters: float, knobs: Knobs) -> None:
    """Draws everything that happens between a sign and its pixels.

    `letters` is the height in pixels of the text: blur goes with it, so that it stays readable.
    """
    if rng.random() < knobs.shade:
        _shade(rng, look)
    if rng.random() < knobs.glare:
        look.glare_x, look.glare_y = rng.uniform(-0.6, 0.6), rng.uniform(-0.7, 0.7)
        look.glare_wide, look.glare_high = 1 / rng.uniform(0.1, 0.8), 1 / rng.uniform(0.2, 1.2)
        look.glare = rng.uniform(0.2, 0.75)
    if rng.random() < knobs.occluded:
        _bar(rng, look)
    if rng.random() < knobs.defocus:
        # 0.05 of 40 px is a blur of 2 px, at which 'e' and 'c' just differ.
        look.sigma = letters * knobs.blur_limit * rng.uniform(0.3, 1.0)
    if letters >= 13 and rng.random() < knobs.motion:
        look.motion = rng.uniform(0.5, min(2.2, 0.09 * letters))
        look.motion_angle = rng.choice((0.0, math.pi / 2, rng.uniform(0, math.pi)))
    if rng.random() < knobs.sharpened:
        look.sharpen, look.sharpen_reach = rng.uniform(0.3, 1.6), rng.uniform(0.6, 1.5)
    if rng.random() < knobs.toned:
        _tone(rng, look, rng.random() < knobs.negative / max(knobs.toned, 1e-9))
    if rng.random() < knobs.noisy:
        strength = (abs(rng.gauss(0, knobs.noise_level)) + 1) / 255
        if rng.random() < knobs.smoothed:
            look.noise_before = 1.5 * strength
        else:
            look.noise_after = strength
        look.chroma = rng.choice((0.0, 0.0, 0.4))
        look.noise_from = rng.random()
    if rng.random() < knobs.jpeg:
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
