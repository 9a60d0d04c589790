"""Grids of equal figures as on tiles, fences and fronts of houses: many look like letters, and none is text."""

import random

import cv2
import numpy as np
from numpy.typing import NDArray

from wordsight.synth.fonts import CAP_HEIGHT


def pattern(rng: random.Random) -> NDArray[np.uint8]:
    """The mask (H, W) of a grid of equal figures, `CAP_HEIGHT` high."""
    high, wide = CAP_HEIGHT, round(CAP_HEIGHT * rng.uniform(0.4, 1.6))
    thick = max(1, round(high * rng.uniform(0.06, 0.3)))
    x, y, right, bottom = wide // 2, high // 2, wide - thick, high - thick
    lines = {
        "bar": [((x, 0), (x, high))],
        "slash": [((thick, bottom), (right, thick))],
        "cross": [((thick, bottom), (right, thick)), ((thick, thick), (right, bottom))],
        "plus": [((x, thick), (x, bottom)), ((thick, y), (right, y))],
    }
    form, cell = rng.choice((*lines, "ring", "disc", "frame", "tile")), np.zeros((high, wide), np.uint8)
    for start, end in lines.get(form, ()):
        cv2.line(cell, start, end, 255, thick)
    if form in ("ring", "disc"):
        axes = (max(1, x - thick), max(1, y - thick))
        cv2.ellipse(cell, (x, y), axes, 0, 0, 360, 255, thick if form == "ring" else cv2.FILLED)
    elif form in ("frame", "tile"):
        cv2.rectangle(cell, (thick, thick), (right, bottom), 255, thick if form == "frame" else cv2.FILLED)
    below, beside = (round(high * rng.uniform(0.0, 0.6)) for _ in range(2))
    return np.tile(np.pad(cell, ((0, below), (0, beside))), (rng.randint(3, 8), rng.randint(4, 14)))
