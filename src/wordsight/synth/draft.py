"""Drafts: letters before they are photographed, as masks in a plane, a surface and paint; and how they are painted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.synth.geometry import View, straightened

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]
"""Of 32 bits; those of pictures are 0 to 1."""
Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Layer:
    """What lies below the letters: an outline, a shadow, the sides of thick letters; a mask like the letters'."""

    mask: Pixels
    color: Rgb
    opacity: float = 1.0


@dataclass(frozen=True)
class Draft:
    """A text before it is photographed. Colours are 0 to 1.

    Attributes:
        view: how the plane is seen.
        letters: mask of the plane (h, w), reduced.
        surface: (rows, columns, 3) the background, as large as the sensor.
        color: of the letters.
        opacity: of the letters.
        fill: (rows, columns, 3) paint of the letters, 0 to 1, instead of the colour.
        below: the lowest first.
        contrast: least difference between letters and surroundings.
    """

    view: View
    letters: Pixels
    surface: Pixels
    color: Rgb
    opacity: float = 1.0
    fill: Floats | None = None
    below: Sequence[Layer] = ()
    contrast: float = 0.0


def unit(color: Sequence[float]) -> Rgb:
    """A colour of 0 to 255 as 0 to 1."""
    red, green, blue = color
    return red / 255, green / 255, blue / 255


def reduced(mask: Pixels, factors: tuple[int, int]) -> Pixels:
    """A mask made smaller by whole factors (across, down)."""
    return mask if factors == (1, 1) else np.asarray(Image.fromarray(mask).reduce(factors))


def painted(draft: Draft) -> tuple[Floats, Floats]:
    """The surface with the letters and what lies below them, (rows, columns, 3), and how much of it are letters."""
    picture: Floats = draft.surface.astype(np.float32) / 255
    where = _grid(draft.view)
    for layer in draft.below:
        picture = covered(picture, layer.color, _seen(layer.mask, where) * layer.opacity)
    letters = _seen(draft.letters, where)
    return covered(picture, draft.color if draft.fill is None else draft.fill, letters * draft.opacity), letters


def covered(picture: Floats, color: Sequence[float] | Floats, cover: Floats) -> Floats:
    """A picture covered to some extent (rows, columns), 0 to 1, by a colour or another picture."""
    return picture + (np.asarray(color, np.float32) - picture) * cover[..., None]


def _grid(view: View) -> tuple[Floats, Floats]:
    """Where the sensor's pixels lie in the reduced plane: its columns and rows, (rows, columns) each."""
    x: Floats = np.arange(view.columns, dtype=np.float32) + 0.5
    y: Floats = np.arange(view.rows, dtype=np.float32)[:, None] + 0.5
    a, b, c, d, e, f, g, h, i = view.inverse
    depth = g * x + (h * y + i)
    u: Floats = (a * x + (b * y + c)) / depth
    v: Floats = (d * x + (e * y + f)) / depth
    if view.ring:
        u, v = straightened(u - view.middle[0], v - view.middle[1], view.ring)
        u, v = u + view.middle[0], v + view.middle[1]
    return u / view.shrink[0] - 0.5, v / view.shrink[1] - 0.5


def _seen(mask: Pixels, where: tuple[Floats, Floats]) -> Floats:
    """A mask of the plane at the sensor's pixels, 0 to 1."""
    return np.asarray(cv2.remap(mask, *where, cv2.INTER_LINEAR), np.float32) / 255
