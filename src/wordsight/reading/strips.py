"""A straightened box, and the ways up that it may have."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.decoding.readings import Span
from wordsight.imaging import rectify
from wordsight.imaging.geometry import TALL
from wordsight.imaging.rectify import part_of
from wordsight.reading.scenes import EncodedScene
from wordsight.reading.stacks import side_by_side

SMALL = 24
"""Pixels of a box's height."""

_SOFT = 20  # pixels
_FINE = Image.Resampling.LANCZOS


@dataclass(frozen=True)
class Strip:
    """A box made straight.

    Attributes:
        pixels: uint8 RGB (h, w, 3).
        polygon: (N, 2) float64, its outline in the photo, from the top left of the text.
        scene: the photo as context for the recognizer; None: no context.
        stacked: whether the pixels are letters that stand one below the other in the photo.
    """

    pixels: NDArray[np.uint8]
    polygon: NDArray[np.float64]
    scene: EncodedScene | None = None
    stacked: bool = False

    @property
    def is_tall(self) -> bool:
        """Whether the text may run up or down. Curved text does not: its polygon says where it begins."""
        height, width = self.pixels.shape[:2]
        return height > TALL * width and not self.is_bent

    @property
    def is_bent(self) -> bool:
        """Whether its outline in the photo has more than four corners. Half round, text is as often upside down."""
        return len(self.polygon) > 4

    @property
    def is_small(self) -> bool:
        """Whether a detector is often mistaken about it: straight, and lower than `SMALL` pixels."""
        return self.pixels.shape[0] < SMALL and not self.is_bent

    @property
    def may_be_a_line(self) -> bool:
        """Whether it has room for several words, whichever way it stands."""
        height, width = map(int, self.pixels.shape[:2])
        return width > 2 * height or height > 2 * width

    def turned(self, quarters: int) -> "Strip":
        """The strip turned counter-clockwise by quarter turns (curved text by half turns only)."""
        corners = len(self.polygon) * quarters // 4
        pixels = np.ascontiguousarray(np.rot90(self.pixels, quarters))
        return replace(self, pixels=pixels, polygon=np.roll(self.polygon, -corners, axis=0))

    def levelled(self, climb: float) -> "Strip":
        """The strip with text made level that climbs from left to right by this share of its height, or falls if < 0.

        What lies between two parallel slopes, without the corners above and below. The polygon stays.
        """
        height, width = self.pixels.shape[:2]
        left, right, depth = (share * height for share in (max(climb, 0.0), max(-climb, 0.0), 1 - abs(climb)))
        slopes = [(0, left), (width, right), (width, right + depth), (0, left + depth)]
        return replace(self, pixels=rectify(self.pixels, slopes))

    def upright(self, slant: float) -> "Strip":
        """The strip with letters made upright that lean to the right by this share of their height, or left if < 0.

        What comes in from the sides shows their last column of pixels. The polygon stays.
        """
        height = self.pixels.shape[0]
        margin = math.ceil(abs(slant) * height / 2)
        wider = Image.fromarray(np.pad(self.pixels, ((0, 0), (margin, margin), (0, 0)), mode="edge"))
        matrix = (1, -slant, slant * height / 2, 0, 1, 0)
        sheared = wider.transform(wider.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return replace(self, pixels=np.asarray(sheared))

    def stretched(self, factor: float) -> "Strip":
        """The strip so many times as wide. The polygon stays."""
        height, width = self.pixels.shape[:2]
        size = (max(1, round(width * factor)), height)
        return replace(self, pixels=np.asarray(Image.fromarray(self.pixels).resize(size, Image.Resampling.BICUBIC)))

    @property
    def is_detailed(self) -> bool:
        """Whether `softened` takes much away."""
        return int(self.pixels.shape[0]) >= 2 * _SOFT

    def softened(self) -> "Strip":
        """The strip with no more detail than `_SOFT` pixels of height show: the dots of print become strokes."""
        height, width = self.pixels.shape[:2]
        small = Image.fromarray(self.pixels).resize((max(1, round(width * _SOFT / height)), _SOFT), _FINE)
        return replace(self, pixels=np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)))

    def unstacked(self) -> "Strip | None":
        """The strip with its letters, should they stand one below the other, side by side; None where none do."""
        pixels = side_by_side(self.pixels)
        return None if pixels is None else replace(self, pixels=pixels, stacked=True)

    def look(self, span: Span | None = None) -> "Look":
        """What a recognizer is shown of it: a part, in pixels, or all of it."""
        span = span or (0.0, float(self.pixels.shape[1]))
        scene = self.scene
        if scene is not None and scene.box is None:
            scene = scene.at(self.outline(span))
        return Look(self.pixels, scene).part(span)

    def outline(self, span: Span) -> NDArray[np.float64]:
        """The polygon (N, 2) in the photo of a part of the strip. Of stacked text always the whole."""
        width = self.pixels.shape[1]
        if self.stacked or (span[0] <= 0 and span[1] >= width):
            return self.polygon
        start, end = (float(share) for share in np.clip(span, 0, width) / width)
        return part_of(self.polygon, start, end)


@dataclass(frozen=True)
class Look:
    """What the recognizer gets: pixels, uint8 RGB (h, w, 3), and the scene with the place of these pixels in it."""

    pixels: NDArray[np.uint8]
    scene: EncodedScene | None = None

    def part(self, span: Span) -> "Look":
        """A part of it, in pixels."""
        width = self.pixels.shape[1]
        start = min(max(0, math.floor(span[0])), width - 1)
        return replace(self, pixels=self.pixels[:, start : max(start + 1, math.ceil(span[1]))])
