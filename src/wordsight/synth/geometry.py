"""The camera: from the plane in which a word is set to the crop that an annotator's box cuts out.

Matrices are 9 numbers, row by row: for so few points plain Python is several times faster than NumPy.
"""

import math
import random
from collections.abc import Iterable

from wordsight.synth.config import RenderConfig
from wordsight.synth.draft import Parameters
from wordsight.synth.fonts import CAP_HEIGHT

Box = tuple[int, int, int, int]
Point = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]

# A word of 40 letters is squeezed to 128 px for the model: wider crops would only cost time.
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


def random_view(
    rng: random.Random,
    box: Box,
    letters: float,
    config: RenderConfig,
    canvas: tuple[int, int],
    curls: bool,
    natural: bool,
) -> Parameters:
    """A view of the word in `box` of a plane: rotated, sheared, in perspective, curved, then cut with margins.

    The word is about `letters` pixels high in the crop, less if the crop would be wider than both 400 px and `canvas`.
    The crop is the upright rectangle around the transformed box, as ICDAR cuts its crops, with margins from slightly
    inside the ink to loose. `canvas` is the (rows, columns) of the largest sensor; `curls` allows curves; with
    `natural`, what is larger than the sensor is scaled down as a whole, instead of in one direction only.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    middle, half = ((x0 + x1) / 2, (y0 + y1) / 2), max(1.0, width / 2)
    bend, ring = _curl(rng, width, height, config) if curls else (0.0, 0.0)
    spots = [x0 + width * k / 8 for k in range(9)] if bend or ring else [x0, x1]
    outline = [_curled((x, y), bend, ring, middle, half) for x in spots for y in (y0, y1)]

    forward = _camera(rng, box, config)
    seen = project(forward, outline)
    low_x, high_x = min(x for x, _ in seen), max(x for x, _ in seen)
    low_y, high_y = min(y for _, y in seen), max(y for _, y in seen)
    scale = min(1.2, letters / height)  # never much above the size at which the letters were drawn
    scale = min(scale, max(max(_WIDEST, canvas[1]) / (high_x - low_x), 12 / height))
    margin = min(height, 2 * CAP_HEIGHT) * scale  # of a stack: those of its letters
    left, right = (_margin(rng, config, 0.34) * margin for _ in range(2))
    above, below = (_margin(rng, config, 0.26) * margin for _ in range(2))
    if config.roomy and rng.random() < config.roomy:
        room = rng.uniform(0.3, 1.0) * margin
        left, right, above, below = (side + room * rng.uniform(0.7, 1.2) for side in (left, right, above, below))
    if natural:
        tall, long = (high_y - low_y) * scale + above + below, (high_x - low_x) * scale + left + right
        smaller = min(1.0, canvas[0] / tall, canvas[1] / long)
        scale, left, right, above, below = (smaller * v for v in (scale, left, right, above, below))
    # A multiple of four, so that there are few resampling matrices, which `optics` caches.
    wide = max(8, 4 * round(((high_x - low_x) * scale + left + right) / 4))
    high = max(8, round((high_y - low_y) * scale + above + below))
    columns, rows = min(wide, canvas[1]), min(high, canvas[0])
    across, down = columns / wide, rows / high
    to_sensor = (
        scale * across, 0.0, (left - low_x * scale) * across,
        0.0, scale * down, (above - low_y * scale) * down,
        0.0, 0.0, 1.0,
    )  # fmt: skip
    inverse = invert(multiply(to_sensor, forward))
    x, y = columns / 2, rows / 2
    (u, v), (right_u, right_v), (down_u, down_v) = project(inverse, ((x, y), (x + 1, y), (x, y + 1)))
    shrink = max(1, int(math.hypot(right_u - u, down_u - u))), max(1, int(math.hypot(right_v - v, down_v - v)))
    return Parameters(rows, columns, high, wide, inverse, bend, ring, middle, half, shrink)


def _curl(rng: random.Random, width: int, height: int, config: RenderConfig) -> tuple[float, float]:
    """How far a word is bent, and the radius of the circle that it is set on; at most one of them is not 0."""
    form = rng.random()
    if width < 1.5 * height or form > config.curved + config.circular:
        return 0.0, 0.0
    sign = rng.choice((1, 1, -1))
    if form < config.curved:
        return sign * height * rng.uniform(0.2, 0.9) * min(1.0, width / height / 3), 0.0
    return 0.0, sign * max(width / 2 / rng.uniform(0.5, 1.3), 1.2 * height)


def _curled(point: Point, bend: float, ring: float, middle: Point, half: float) -> Point:
    """The position on the curved word of a point of the straight one."""
    x, y = point
    if not ring:
        return x, y + bend * ((x - middle[0]) / half) ** 2
    sign = math.copysign(1, ring)
    angle, radius = (x - middle[0]) / abs(ring), sign * (middle[1] + ring - y)
    return middle[0] + radius * math.sin(angle), middle[1] + ring - sign * radius * math.cos(angle)


def _margin(rng: random.Random, config: RenderConfig, usual: float) -> float:
    """One side's margin in heights of the text: mostly up to `usual`, sometimes cutting into the ink, or loose."""
    form = rng.random()
    if form < config.tight:
        return rng.uniform(-0.07, 0.0)
    if form > 1 - config.loose:
        return rng.uniform(0.14, 0.40)
    return rng.uniform(0.0, usual)


def _turn(rng: random.Random, config: RenderConfig) -> float:
    """Rotation of a word in degrees."""
    form = rng.random()
    if (form := form - config.tilted) < 0:
        return rng.gauss(0, 6.0)
    if (form := form - config.steep) < 0:
        return rng.uniform(-45, 45) if rng.random() < 0.5 else rng.uniform(-25, 25)
    if (form := form - config.sideways) < 0:  # names down the side of a building
        return rng.choice((-90, 90)) + rng.gauss(0, 5)
    if form < config.upside_down:
        return 180 + rng.gauss(0, 6)
    return rng.gauss(0, 1.0)


def _camera(rng: random.Random, box: Box, config: RenderConfig) -> Matrix:
    """Plane to picture: stretch, shear, rotation, perspective, with the word's centre at the origin."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    degrees = _turn(rng, config)
    if width > 4 * height:  # a long line at a steep angle would be tiny in its crop
        upright = 180 * round(degrees / 180)
        degrees = upright + (degrees - upright) * min(1.0, max(0.25, 4 * height / width)) ** 1.5
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    stretch = math.exp(rng.gauss(-0.16, 0.20))
    shear = rng.gauss(0, 0.12) if rng.random() < config.sheared else 0.0
    # Lines that climb while the letters stay upright.
    lean = rng.gauss(0, 0.06) if rng.random() < config.climbing else 0.0
    matrix: Matrix = (stretch, shear, 0.0, lean * stretch, 1.0, 0.0, 0.0, 0.0, 1.0)
    matrix = multiply(matrix, (1.0, 0.0, -(x0 + x1) / 2, 0.0, 1.0, -(y0 + y1) / 2, 0.0, 0.0, 1.0))
    matrix = multiply((cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 1.0), matrix)
    if rng.random() < config.perspective:
        # The far end of the word is up to about half as large as the near one.
        reach = 0.5 * (width + height) * max(1.0, stretch)
        matrix = multiply(
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, rng.uniform(-0.3, 0.3) / reach, rng.uniform(-0.15, 0.15) / reach, 1.0),
            matrix,
        )
    return matrix
