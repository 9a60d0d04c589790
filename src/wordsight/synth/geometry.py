"""Where the camera stands: from the plane in which a word was set to the crop that an annotator's box cuts out."""

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """A crop of `size` (width, height) and the map from its pixels back to the plane.

    `inverse` (3, 3) takes crop pixels to the plane; `bend` is the arch of the baseline: at a quarter of the word's
    width from its middle `centre` the line is `bend / 4` pixels lower (a parabola, in plane pixels; 0 is straight).
    """

    size: tuple[int, int]
    inverse: NDArray[np.float64]
    bend: float = 0.0
    centre: float = 0.0
    half: float = 1.0

    def apply(self, plane: Image.Image) -> Image.Image:
        """The plane seen through this view; black outside."""
        if not self.bend:
            m = self.inverse / self.inverse[2, 2]
            return plane.transform(
                self.size, Image.Transform.PERSPECTIVE, tuple(m.ravel()[:8]), Image.Resampling.BICUBIC
            )
        columns = max(4, min(16, self.size[0] // 10))
        xs = np.round(np.linspace(0, self.size[0], columns + 1)).astype(int)
        ys = (0, self.size[1] // 2, self.size[1])
        grid = self._to_plane(np.array([(x, y) for y in ys for x in xs], dtype=np.float64))
        grid = grid.reshape(len(ys), columns + 1, 2)
        mesh = []
        for row in range(len(ys) - 1):
            for column in range(columns):
                corners = (grid[row, column], grid[row + 1, column], grid[row + 1, column + 1], grid[row, column + 1])
                box = (int(xs[column]), ys[row], int(xs[column + 1]), ys[row + 1])
                mesh.append((box, tuple(float(v) for corner in corners for v in corner)))
        return plane.transform(self.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)

    def _to_plane(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = _project(self.inverse, points)
        flat[:, 1] -= self.bend * ((flat[:, 0] - self.centre) / self.half) ** 2
        return flat


def _project(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) through a homography (3, 3)."""
    lifted = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(lifted[:, :2] / lifted[:, 2:])


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (3, 3) map that takes four points to four others."""
    rows = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    solved = np.linalg.solve(np.array(rows), target.ravel())
    return np.append(solved, 1.0).reshape(3, 3)


def random_view(rng: random.Random, box: Box, size: tuple[int, int]) -> View:
    """A view of the word in `box` of a plane of `size`: turned, sheared, foreshortened, arched, then cut with margins.

    The crop is the upright rectangle around what the word's box becomes, as ICDAR cuts its crops, plus margins from
    slightly inside the ink to loose ones.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    bend = 0.0
    if rng.random() < 0.09 and width > 1.5 * height:
        bend = height * rng.uniform(0.2, 0.9) * rng.choice((-1, -1, 1)) * min(1.0, width / height / 3)
    centre, half = (x0 + x1) / 2, width / 2
    # Upwards bend lifts the middle: in the plane the outline of the word is the box's, moved by the parabola.
    spots = np.linspace(x0, x1, 9 if bend else 2)
    sag = bend * ((spots - centre) / half) ** 2 if half else 0 * spots
    outline = np.concatenate([np.stack([spots, y0 + sag], 1), np.stack([spots[::-1], y1 + sag[::-1]], 1)])

    forward = _camera(rng, width, height, x0, y0)
    seen = _project(forward, outline)
    low, high = seen.min(0), seen.max(0)
    scale = _letter_scale(rng, high[1] - low[1], height)
    margin = height * scale
    left, right, above, below = (_margin(rng) * margin for _ in range(4))
    high_px = max(8, round((high[1] - low[1]) * scale + above + below))
    wide_px = max(8, round((high[0] - low[0]) * scale + left + right))
    to_crop = np.array([[scale, 0, left - low[0] * scale], [0, scale, above - low[1] * scale], [0, 0, 1]])
    return View((wide_px, high_px), np.linalg.inv(to_crop @ forward), bend, centre, half or 1.0)


def _letter_scale(rng: random.Random, seen_height: float, height: float) -> float:
    """Pixels of the crop per pixel of the plane: crops 32 to 48 high, letters never above their drawn size."""
    return min(1.1, rng.uniform(30, 46) / min(seen_height, 2.2 * height))


def _margin(rng: random.Random) -> float:
    """One side's margin in heights of the text: mostly 2 to 15 %, at times cutting the ink or loose."""
    form = rng.random()
    if form < 0.12:
        return rng.uniform(-0.07, 0.0)
    if form < 0.80:
        return rng.uniform(0.0, 0.14)
    return rng.uniform(0.12, 0.34)


def _camera(rng: random.Random, width: float, height: float, x0: float, y0: float) -> NDArray[np.float64]:
    """Plane to picture (3, 3): stretch, shear, turn, perspective."""
    form = rng.random()
    if form < 0.30:
        angle = rng.gauss(0, 1.0)
    elif form < 0.82:
        angle = rng.gauss(0, 6.0)
    elif form < 0.98 or width > 7 * height:
        angle = rng.uniform(-30, 30)
    else:
        angle = rng.choice((-90, 90)) + rng.gauss(0, 5)  # names down the side of a building
    angle = math.radians(angle)
    stretch = math.exp(rng.gauss(0, 0.18))
    shear = rng.gauss(0, 0.12) if rng.random() < 0.35 else 0.0
    cos, sin = math.cos(angle), math.sin(angle)
    centred = np.array([[1, 0, -x0 - width / 2], [0, 1, -y0 - height / 2], [0, 0, 1]])
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ np.array(
        [[stretch, shear, 0], [0, 1, 0], [0, 0, 1]]
    )
    matrix = turned @ centred
    if rng.random() < 0.4:
        corners = np.array([[x0, y0], [x0 + width, y0], [x0 + width, y0 + height], [x0, y0 + height]])
        target = _project(matrix, corners)
        reach = height * min(1.0, 0.12 + 0.02 * width / height)
        pull = rng.uniform(0, reach)
        target = target + np.array([[rng.gauss(0, 0.3) * pull, rng.gauss(0, 0.6) * pull] for _ in range(4)])
        matrix = _homography(corners, target)
    return matrix
