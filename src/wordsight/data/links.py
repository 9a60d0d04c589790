"""Links from crops to their photographs: what a scene encoder is shown for a crop, and how to cut the crop again."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.data.controls import Mode, control, scene_key
from wordsight.data.scenes import Scene, decoded
from wordsight.errors import BoxError
from wordsight.imaging import rectify
from wordsight.imaging.geometry import Box, box_in, word_height

Pixels: TypeAlias = npt.NDArray[np.uint8]
Polygon: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SceneView:
    """What a scene encoder is shown for a word; small to pickle, as pixels are decoded only when needed.

    Attributes:
        scene: the photograph, not always the word's own (see `ScenesSource.show`).
        word: the word's number in it, for controls that paint over words.
        mode: what is done to the photograph, see `controls.control`.
        seed: of the control.
    """

    scene: Scene
    word: int
    mode: Mode = "real"
    seed: int = 0

    @property
    def key(self) -> str:
        """Cache key: views with equal keys have equal pixels.

        Raises:
            DataError: the photograph's file cannot be read.
        """
        return scene_key(self.scene.digest, self.word, self.mode, self.seed)

    def load(self) -> Pixels:
        """The picture, uint8 RGB (H, W, 3).

        Raises:
            DataError: the photograph is missing or cannot be decoded.
        """
        polygons = [word.polygon for word in self.scene.words]
        return control(self.scene.load(), polygons, self.word, self.mode, self.seed)


@dataclass(frozen=True, eq=False)
class SceneLink:
    """Where a crop comes from.

    Attributes:
        scene: the photograph.
        polygon: what was cut out of it, float64 (N, 2) in its pixels.
        box: the same as an upright rectangle.
        view: what a scene encoder is shown, the photograph itself or a control; None for the null scene.
    """

    scene: Scene
    polygon: Polygon
    box: Box
    view: SceneView | None

    def cut_anew(self, rng: np.random.Generator, jitter: float, padding: float) -> tuple[Pixels, Box] | None:
        """A crop along another box, as a detector might have drawn it, and that box; None if the box is empty.

        Args:
            rng: determines the box.
            jitter: standard deviation of the shift of every corner, in heights of the word.
            padding: each of the four sides moves outwards by up to this many heights of the word.
        """
        pixels = decoded(self.scene)
        polygon = padded(self.polygon, rng.uniform(0.0, padding, 4)) if padding else self.polygon
        polygon = polygon + rng.normal(0.0, jitter * word_height(self.polygon), polygon.shape)
        try:
            return rectify(pixels, polygon), box_of(polygon, pixels)
        except BoxError:
            return None


def padded(polygon: Polygon, shares: npt.NDArray[np.float64]) -> Polygon:
    """A polygon with its (top, right, bottom, left) sides moved outwards by `shares` of the word's height.

    If top and bottom have different numbers of points (an odd number in all), only the ends move.
    """
    height = word_height(polygon)
    top, bottom = np.array_split(polygon, 2)
    bottom = bottom[::-1]
    out_top, out_bottom = top.copy(), bottom.copy()
    if len(top) == len(bottom):
        up = _unit(top - bottom)
        out_top += shares[0] * height * up
        out_bottom -= shares[2] * height * up
    for edge, out in ((top, out_top), (bottom, out_bottom)):
        out[-1] += shares[1] * height * _unit(edge[-1] - edge[-2])
        out[0] += shares[3] * height * _unit(edge[0] - edge[1])
    return np.concatenate([out_top, out_bottom[::-1]])


def _unit(vectors: Polygon) -> Polygon:
    out: Polygon = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return out


def box_of(polygon: Polygon, pixels: Pixels) -> Box:
    """The position in its photograph of a crop along a polygon."""
    height, width = pixels.shape[:2]
    return box_in(polygon, width, height)
