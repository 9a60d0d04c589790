"""How probable a gap between two words is in each column of a line: a small convolutional network.

It sees how much each column varies, how much it differs from its neighbour and from the line's mean colour, and the
edges in eight bands of rows; convolutions spread over the columns, ever wider apart, compare a gap with those between
the letters around it, two heights far. Its weights (`word_gaps.npz`, 40 KB) are made by `benchmarks/word_gaps.py` from
labelled training scenes and from rendered lines.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT = 32
"""Pixels; all lines are looked at in this height."""

WEIGHTS = Path(__file__).with_name("word_gaps.npz")

CHANNELS = 21
"""Numbers that the network sees of a column."""

DILATIONS = (1, 1, 2, 4, 8, 16, 32)
"""How far apart the columns are that each layer combines."""

_BANDS = 8
_MOST = 6.0  # times their mean; edges of frames and borders are a hundred times as strong as those of letters
_MAX_COLUMNS = 8192  # a line 256 times as wide as high; longer ones are squeezed


def to_columns(strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A strip, uint8 (h, w, 3), scaled to (32, columns, 3)."""
    height, width = strip.shape[:2]
    columns = min(max(4, round(width * HEIGHT / height)), _MAX_COLUMNS)
    return np.asarray(Image.fromarray(strip).resize((columns, HEIGHT), Image.Resampling.BILINEAR), np.float32)


def contrast(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each column of a line (32, columns, 3) varies: (columns,)."""
    return np.asarray(np.sqrt((line[4:28].std(axis=0) ** 2).sum(axis=1)), np.float32)


def features(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network sees of each column of a line (32, columns, 3): (columns, CHANNELS)."""
    wide, narrow = line[4:28], line[8:24]  # rows; neighbouring lines reach into the outermost
    grey = line.mean(axis=2)
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    profiles = np.stack(
        [
            contrast(line),
            np.sqrt((narrow.std(axis=0) ** 2).sum(axis=1)),
            across[4:28].mean(axis=0),
            np.abs(wide.mean(axis=0) - wide.mean(axis=(0, 1))).sum(axis=1),
        ]
    )
    edges = np.stack([across, down]).reshape(2, _BANDS, HEIGHT // _BANDS, -1).mean(axis=2)  # (2, bands, columns)
    # Relative to the line's mean, so that faint text looks like any; two grey levels, or one, keep noise from counting
    seen = [
        profiles / (profiles.mean(axis=1, keepdims=True) + 2),
        *(edges / (edges.mean(axis=(1, 2), keepdims=True) + 1)),
        np.ones((1, line.shape[1])),  # where the line is: beyond its ends, the network sees noughts
    ]
    return np.ascontiguousarray(np.minimum(np.concatenate(seen), _MOST).T, np.float32)


def gap_probability(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability that a gap between words is in a column of a line (32, columns, 3): (columns,)."""
    weights = _weights()
    x = _layer(features(line), 0)
    for number in range(1, len(DILATIONS)):
        x = x + _layer(x, number)
    logits = (x @ weights["w_out"] + weights["b_out"])[:, 0]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _layer(x: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """A convolution over columns and a ReLU: (columns, C) to (columns, C')."""
    kernel, bias = _weights()[f"w{number}"], _weights()[f"b{number}"]  # (taps, C, C'), (C',)
    dilation, columns = DILATIONS[number], len(x)
    reach = dilation * (len(kernel) // 2)
    padded = np.pad(x, ((reach, reach), (0, 0)))
    taps = (padded[k * dilation : k * dilation + columns] @ weight for k, weight in enumerate(kernel))
    return np.asarray(np.maximum(sum(taps, bias), 0), np.float32)


@cache
def _weights() -> dict[str, NDArray[Any]]:
    with np.load(WEIGHTS) as file:
        return {name: file[name].astype(np.float32) for name in file.files}
