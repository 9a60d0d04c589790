"""How probable a gap between two words is in each column of a line: a small network over profiles of contrast.

The profiles say how much each column varies, how much it differs from its neighbour and from the line's mean colour;
around every column they are seen one and a half heights far, coarsely at a distance. Its weights (`word_gaps.npz`, 34
KB) are made by `benchmarks/word_gaps.py` from labelled training scenes.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

HEIGHT = 32
"""Pixels; all lines are looked at in this height."""

WEIGHTS = Path(__file__).with_name("word_gaps.npz")

_REACH = 48  # columns seen to either side
_MAX_COLUMNS = 8192  # a line 256 times as wide as high; longer ones are squeezed
# Borders of the bins in which the columns around are averaged: four wide at a distance, single ones near
_BINS = np.r_[np.arange(0, 33, 4), np.arange(34, 63), np.arange(65, 2 * _REACH + 1, 4)]


def to_columns(strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A strip, uint8 (h, w, 3), scaled to (32, columns, 3)."""
    height, width = strip.shape[:2]
    columns = min(max(4, round(width * HEIGHT / height)), _MAX_COLUMNS)
    return np.asarray(Image.fromarray(strip).resize((columns, HEIGHT), Image.Resampling.BILINEAR), np.float32)


def contrast(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each column of a line (32, columns, 3) varies: (columns,)."""
    return np.asarray(np.sqrt((line[4:28].std(axis=0) ** 2).sum(axis=1)), np.float32)


def features(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network sees of each column of a line (32, columns, 3): (columns, F)."""
    wide, narrow = line[4:28], line[8:24]  # rows; neighbouring lines reach into the outermost
    grey = wide.mean(axis=2)
    profiles = np.stack(
        [
            contrast(line),
            np.sqrt((narrow.std(axis=0) ** 2).sum(axis=1)),
            np.abs(np.diff(grey, axis=1, append=grey[:, -1:])).mean(axis=0),
            np.abs(wide.mean(axis=0) - wide.mean(axis=(0, 1))).sum(axis=1),
        ]
    )
    around = _around(profiles)  # (4, columns, 97)
    inside = _around(np.ones((1, line.shape[1]), np.float32))  # where the line is, at its ends
    # Relative to their mean around, so that faint text looks like any; two grey levels keep noise from counting
    around = around / (around.sum(axis=2, keepdims=True) / inside.sum(axis=2, keepdims=True) + 2)
    seen = np.concatenate([around, inside])
    binned = np.add.reduceat(seen, _BINS, axis=2) / np.diff(np.r_[_BINS, 2 * _REACH + 1])
    return np.ascontiguousarray(binned.transpose(1, 0, 2).reshape(line.shape[1], -1), np.float32)


def gap_probability(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability that a gap between words is in a column of a line (32, columns, 3): (columns,)."""
    weights = _weights()
    x = (features(line) - weights["mean"]) / weights["deviation"]
    for layer in ("1", "2"):
        x = np.maximum(x @ weights[f"w{layer}"] + weights[f"b{layer}"], 0)
    logits = (x @ weights["w3"] + weights["b3"])[:, 0]
    probability = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    # A gap is wider than a column; its neighbours must agree
    return np.convolve(np.pad(probability, 2, mode="edge"), np.full(5, 0.2, np.float32), "valid").astype(np.float32)


def _around(profiles: NDArray[np.float32]) -> NDArray[Any]:
    return sliding_window_view(np.pad(profiles, ((0, 0), (_REACH, _REACH))), 2 * _REACH + 1, axis=1)


@cache
def _weights() -> dict[str, NDArray[np.float32]]:
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}
