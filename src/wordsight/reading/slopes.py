"""The skew of text in a box along the picture's edges, measured without reading it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIZE = (96, 32)


def climb(pixels: NDArray[np.uint8]) -> float:
    """By what share of its height the text in pixels (h, w, 3) climbs from the left edge to the right; negative: falls.

    A line through the vertical edges of strokes, of each column of pixels at the height where they lie on average. The
    weaker half of the edges is taken for background.
    """
    grey = np.asarray(Image.fromarray(pixels).convert("L").resize(_SIZE, Image.Resampling.BILINEAR), np.float32)
    edges = np.abs(np.diff(grey, axis=1))
    edges = np.maximum(edges - np.median(edges), 0)
    weights = edges.sum(axis=0)
    if not weights.any():
        return 0.0
    height, width = edges.shape
    up = 1 - (np.arange(height) + 0.5) @ edges / (height * np.maximum(weights, 1e-6))
    x = (np.arange(width) + 0.5) / width
    x, up = (values - np.average(values, weights=weights) for values in (x, up))
    spread = float(np.average(x * x, weights=weights))
    return float(np.average(x * up, weights=weights)) / spread if spread > 0 else 0.0
