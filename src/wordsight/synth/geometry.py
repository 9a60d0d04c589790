"""Where the camera stands: from the plane in which a word was set to the crop that an annotator's box cuts out.

Matrices are 9 numbers, row by row: for so few points plain Python is several times quicker than NumPy.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

Box = tuple[int, int, int, int]
Point = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]

# A word of 40 letters is stretched to 128 px for the model: wider crops than this cost time and show nothing more.
_WIDEST = 400


def multiply(a: Matrix, b: Matrix) -> Matrix:
    """The product of two 3x3 matrices: first b, then a."""
    a0, a1, a2, a3, a4, a5, a6, a7, a8 = a
    b0, b1, b2, b3, b4, b5, b6, b7, b8 = b
    return (
        a0 * b0 + a1 * b3 + a2 * b6, a0 * b1 + a1 * b4 + a2 * b7, a0 * b2 + a1 * b5 + a2 * b8,
        a3 * b0 + a4 * b3 + a5 * b6, a3 * b1 + a4 * b4 + a5 * b7, a3 * b2 + a4 * b5 + a5 * b8,
        a6 * b0 + a7 * b3 + a8 * b6, a6 * b1 + a7 * b4 + a8 * b7, a6 * b2 + a7 * b5 + a8 * b8,
    )  # fmt: skip


def invert(m: Matrix) -> Matrix:
    """The inverse of a 3x3 matrix up to a factor (for perspective the factor does not matter), last number 1."""
    a, b, c, d, e, f, g, h, i = m
    adjugate = (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    )  # fmt: skip
    n = adjugate[8]
    return tuple(v / n for v in adjugate)  # type: ignore[return-value]


def project(m: Matrix, points: Iterable[Point]) -> list[Point]:
    """Points through a homography."""
    moved = []
    for x, y in points:
        w = m[6] * x + m[7] * y + m[8]
        moved.append(((m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w))
    return moved


@dataclass(frozen=True)
class View:
    """A crop of `size` (width, height) and the map from its pixels back to the plane.

    `inverse` takes crop pixels to the plane. `bend` arches the baseline: the word's ends lie `bend` plane pixels lower
    than its middle at x = `centre`, `half` its half width, along a parabola; 0 is straight. The plane is first made
    `shrink` times smaller, against aliasing; `inverse` and the lengths are in pixels of the small one.
    """

    size: tuple[int, int]
    inverse: Matrix
    bend: float = 0.0
    centre: float = 0.0
    half: float = 1.0
    shrink: int = 1

    def apply(self, plane: Image.Image) -> Image.Image:
        """The plane seen through this view; black outside."""
        if self.shrink > 1:
            plane = plane.reduce(self.shrink)
        if not self.bend:
            if self.inverse[6:8] == (0.0, 0.0):
                return plane.transform(self.size, Image.Transform.AFFINE, self.inverse[:6], Image.Resampling.BILINEAR)
            return plane.transform(self.size, Image.Transform.PERSPECTIVE, self.inverse[:8], Image.Resampling.BILINEAR)
        width, height = self.size
        columns = max(4, min(10, width // 12))
        xs = [round(width * k / columns) for k in range(columns + 1)]
        top, middle, bottom = ([self._to_plane(x, y) for x in xs] for y in (0, height // 2, height))
        mesh = []
        for above, below, y0, y1 in ((top, middle, 0, height // 2), (middle, bottom, height // 2, height)):
            for k in range(columns):
                # Pillow wants the corners counter-clockwise from the top left.
                corners = (*above[k], *below[k], *below[k + 1], *above[k + 1])
                mesh.append(((xs[k], y0, xs[k + 1], y1), corners))
        return plane.transform(self.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)

    def _to_plane(self, x: float, y: float) -> Point:
        ((u, v),) = project(self.inverse, ((x, y),))
        return u, v - self.bend * ((u - self.centre) / self.half) ** 2


def random_view(rng: random.Random, box: Box, letters: float) -> View:
    """A view of the word in `box` of a plane: turned, sheared, foreshortened, arched, then cut with margins.

    The word is about `letters` pixels high in the crop, less if the crop would become wider than 400 px.

    The crop is the upright rectangle around what the word's box becomes, as ICDAR cuts its crops, plus margins from
    slightly inside the ink to loose ones.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    centre, half = (x0 + x1) / 2, max(1.0, width / 2)
    bend = 0.0
    if width > 1.5 * height and rng.random() < 0.09:
        bend = height * rng.uniform(0.2, 0.9) * rng.choice((1, 1, -1)) * min(1.0, width / height / 3)
    spots = [x0 + width * k / 8 for k in range(9)] if bend else [x0, x1]
    outline = [(x, y + bend * ((x - centre) / half) ** 2) for x in spots for y in (y0, y1)]

    forward = _camera(rng, box)
    seen = project(forward, outline)
    low_x, high_x = min(x for x, _ in seen), max(x for x, _ in seen)
    low_y, high_y = min(y for _, y in seen), max(y for _, y in seen)
    scale = min(1.2, letters / height)  # never much above the size at which the letters were drawn
    scale = min(scale, max(_WIDEST / (high_x - low_x), 12 / height))
    left, right, above, below = (_margin(rng) * height * scale for _ in range(4))
    wide = max(8, round((high_x - low_x) * scale + left + right))
    high = max(8, round((high_y - low_y) * scale + above + below))
    to_crop = (scale, 0.0, left - low_x * scale, 0.0, scale, above - low_y * scale, 0.0, 0.0, 1.0)
    shrink = 2 if scale < 0.55 else 1
    inverse = multiply((1 / shrink, 0, 0, 0, 1 / shrink, 0, 0, 0, 1), invert(multiply(to_crop, forward)))
    return View((wide, high), inverse, bend / shrink, centre / shrink, half / shrink, shrink)


def _margin(rng: random.Random) -> float:
    """One side's margin in heights of the text: mostly up to 14 %, at times cutting the ink or loose."""
    form = rng.random()
    if form < 0.12:
        return rng.uniform(-0.07, 0.0)
    if form < 0.80:
        return rng.uniform(0.0, 0.14)
    return rng.uniform(0.12, 0.34)


def _camera(rng: random.Random, box: Box) -> Matrix:
    """Plane to picture: stretch, shear, turn, perspective, the word's middle at the origin."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    form = rng.random()
    if form < 0.32:
        degrees = rng.gauss(0, 1.0)
    elif form < 0.83:
        degrees = rng.gauss(0, 6.0)
    elif form < 0.985 or width > 7 * height:
        degrees = rng.uniform(-30, 30)
    else:
        degrees = rng.choice((-90, 90)) + rng.gauss(0, 5)  # names down the side of a building
    if width > 6 * height:  # turned far, a long line fills a crop in which nothing is left of it
        degrees *= 0.35
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    stretch = math.exp(rng.gauss(0, 0.18))
    shear = rng.gauss(0, 0.12) if rng.random() < 0.35 else 0.0
    lean = rng.gauss(0, 0.06) if rng.random() < 0.35 else 0.0  # lines that climb while the letters stand upright
    matrix: Matrix = (stretch, shear, 0.0, lean * stretch, 1.0, 0.0, 0.0, 0.0, 1.0)
    matrix = multiply(matrix, (1.0, 0.0, -(x0 + x1) / 2, 0.0, 1.0, -(y0 + y1) / 2, 0.0, 0.0, 1.0))
    matrix = multiply((cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 1.0), matrix)
    if rng.random() < 0.4:
        # The far end of the word is up to about 2 times smaller than the near one.
        reach = 0.5 * (width + height) * max(1.0, stretch)
        matrix = multiply(
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, rng.uniform(-0.3, 0.3) / reach, rng.uniform(-0.15, 0.15) / reach, 1.0),
            matrix,
        )
    return matrix
