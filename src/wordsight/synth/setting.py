"""Setting text: the masks of its letters side by side."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import CAP_HEIGHT


@dataclass(frozen=True)
class Line:
    """A set line: its mask (h, w), cropped to the ink, and the distance of the baseline from the mask's top, pixels."""

    mask: NDArray[np.uint8]
    baseline: int


def set_line(
    book: FontBook,
    face: int,
    text: str,
    spacing: float = 0.0,
    jitter: float = 0.0,
    rng: random.Random | None = None,
    gap: float = 0.0,
) -> Line | None:
    """Sets `text` in a face, with `spacing` more pixels between letters and `gap` more between words.

    Letters are off the baseline by a standard deviation of `jitter` pixels. Returns None if nothing is drawn.
    """
    pen, placed = 0.0, []
    for character in text:
        glyph = book.glyph(face, character)
        if glyph.mask is not None:
            rise = round(rng.gauss(0, jitter)) if rng is not None and jitter else 0
            placed.append((glyph.mask, round(pen) + glyph.left, glyph.top + rise))
            # Some script faces have letters without advance, which must not overlap.
            pen += max(glyph.advance, 0.3 * glyph.mask.shape[1]) + spacing
        else:
            pen += max(glyph.advance, CAP_HEIGHT * 0.2) + spacing + gap
    return _composed(placed)


def set_stack(book: FontBook, face: int, text: str, gap: float) -> Line | None:
    """Sets the letters of `text` upright, one below the other, `gap` pixels apart; None if nothing is drawn."""
    pen, placed = 0, []
    for character in text:
        mask = book.glyph(face, character).mask
        if mask is not None:
            placed.append((mask, -mask.shape[1] // 2, pen))
            pen += mask.shape[0] + round(gap)
    return _composed(placed)


def _composed(placed: Sequence[tuple[NDArray[np.uint8], int, int]]) -> Line | None:
    """A line of masks at positions (x, y), with the baseline at y = 0."""
    if not placed:
        return None
    left, top = min(x for _, x, _ in placed), min(y for *_, y in placed)
    right = max(x + mask.shape[1] for mask, x, _ in placed)
    bottom = max(y + mask.shape[0] for mask, _, y in placed)
    canvas = np.zeros((bottom - top, right - left), dtype=np.uint8)
    for mask, x, y in placed:
        stamp(canvas, mask, x - left, y - top)
    return Line(canvas, -top)


def stamp(canvas: NDArray[np.uint8], mask: NDArray[np.uint8], x: int, y: int) -> None:
    """Adds a mask to a canvas at (x, y), clipped to the canvas."""
    x0, y0 = max(0, -x), max(0, -y)
    spot = canvas[y + y0 : max(0, y + mask.shape[0]), x + x0 : max(0, x + mask.shape[1])]
    if spot.size:
        np.maximum(spot, mask[y0 : y0 + spot.shape[0], x0 : x0 + spot.shape[1]], out=spot)
