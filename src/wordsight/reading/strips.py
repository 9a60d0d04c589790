"""A straightened box, the ways up that it may have, and the pieces of it that a recognizer can take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.detect import between, find_gaps, split_words
from wordsight.imaging import rectify
from wordsight.imaging.geometry import TALL
from wordsight.reading.scenes import Scene
from wordsight.reading.stacks import side_by_side
from wordsight.reading.windows import Span, windows

WIDEST = 6.0  # width to height; wider pieces are split at gaps or read in windows

# Probability from which a line is cut at a gap, and from which it is read both ways, cut and whole. On 158 training
# scenes of ICDAR 2015 cutting at 0.7, without doubts, gave an end-to-end H-mean of 54.8; these give 56.7, 0.15 and 0.95
# 56.5. It costs a sixth more crops.
_CERTAIN = 0.9
_POSSIBLE = 0.3
_MARGIN = 0.1  # of the height, kept left and right of a word that is cut out of a line


@dataclass(frozen=True)
class Strip:
    """A box made straight.

    Attributes:
        pixels: uint8 RGB (h, w, 3).
        polygon: (N, 2) float64, its outline in the photo, from the top left of the text.
        scene: what the recognizer is told of the photo; None: nothing.
        stacked: whether the pixels are letters that stand one below the other in the photo.
    """

    pixels: NDArray[np.uint8]
    polygon: NDArray[np.float64]
    scene: Scene | None = None
    stacked: bool = False

    @property
    def is_tall(self) -> bool:
        """Whether the text may run up or down. Curved text does not: its polygon says where it begins."""
        height, width = self.pixels.shape[:2]
        return height > TALL * width and len(self.polygon) == 4

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

    def unstacked(self) -> "Strip | None":
        """The strip with its letters, should they stand one below the other, side by side; None where none do."""
        pixels = side_by_side(self.pixels)
        return None if pixels is None else replace(self, pixels=pixels, stacked=True)

    def outline(self, span: Span) -> NDArray[np.float64]:
        """The polygon (N, 2) in the photo of a part of the strip. Of curved or stacked text always the whole."""
        width = self.pixels.shape[1]
        if self.stacked or len(self.polygon) != 4 or (span[0] <= 0 and span[1] >= width):
            return self.polygon
        start, end = np.clip(span, 0, width) / width
        top_left, top_right, bottom_right, bottom_left = self.polygon
        top, bottom = top_right - top_left, bottom_right - bottom_left
        return np.array(
            [top_left + start * top, top_left + end * top, bottom_left + end * bottom, bottom_left + start * bottom]
        )


@dataclass(frozen=True)
class Look:
    """What the recognizer gets: pixels, uint8 RGB (h, w, 3), and the scene with the place of these pixels in it."""

    pixels: NDArray[np.uint8]
    scene: Scene | None = None


@dataclass(frozen=True)
class Piece:
    """A part of a strip that is read as one text: in one look, or in several overlapping ones if it is wide.

    Where it is doubtful whether it is one text, `parts` are what it may be instead.
    """

    span: Span
    looks: tuple[Span, ...]
    parts: tuple["Piece", ...] = ()


def pieces(strip: Strip, *, split: bool) -> tuple[Piece, ...]:
    """The pieces to read, left to right.

    Args:
        strip: the right way up.
        split: at every gap between words; otherwise only where the strip is wider than `WIDEST`, at as few gaps as do.
    """
    height, width = strip.pixels.shape[:2]
    if split and not strip.stacked:
        gaps = find_gaps(strip.pixels, _POSSIBLE)
        words = [_piece(strip, span) for span in with_margins(between(gaps, width), height, width)]
        certain = [k for k, gap in enumerate(gaps, 1) if gap.probability >= _CERTAIN]
        runs = [words[first:last] for first, last in pairwise([0, *certain, len(words)])]
        return tuple(
            _piece(strip, (run[0].span[0], run[-1].span[1]), tuple(run)) if len(run) > 1 else run[0] for run in runs
        )
    if width <= WIDEST * height:
        return (_piece(strip, (0.0, float(width))),)
    spans = with_margins(split_words(strip.pixels), height, width)
    return tuple(_piece(strip, span) for span in _joined(spans, WIDEST * height))


def _piece(strip: Strip, span: Span, parts: tuple[Piece, ...] = ()) -> Piece:
    wide = span[1] - span[0] > WIDEST * strip.pixels.shape[0]
    return Piece(span, tuple(windows(strip.pixels, span)) if wide else (span,), parts)


def with_margins(words: Sequence[Span], height: int, width: int) -> list[Span]:
    """Words with a little of the background left and right, but nothing of their neighbours."""
    margin = _MARGIN * height
    borders = [0.0, *((left[1] + right[0]) / 2 for left, right in pairwise(words)), float(width)]
    return [(max(borders[i], x0 - margin), min(borders[i + 1], x1 + margin)) for i, (x0, x1) in enumerate(words)]


def _joined(spans: Sequence[Span], limit: float) -> list[Span]:
    """Neighbours joined, left to right, as long as they stay within `limit` pixels."""
    out: list[Span] = []
    for span in spans:
        if out and span[1] - out[-1][0] <= limit:
            out[-1] = (out[-1][0], span[1])
        else:
            out.append(span)
    return out
