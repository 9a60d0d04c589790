"""Sensor noise of rendered scenes."""

import random

import numpy as np
from numpy.typing import NDArray

from wordsight.synth.background import noise_window

# Standard deviation of brightness below which words on real crops are no longer read (see tests of the labels there:
# the faintest legible ICDAR 2015 training crops have 5 to 8 grey levels).
_LEAST_SPREAD = 7.0
Pixels = NDArray[np.uint8]


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
