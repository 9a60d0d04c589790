"""The camera: from the plane in which a word is set to the crop that an annotator's box cuts out."""

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.imaging.geometry import project
from wordsight.synth.config import RenderConfig
from wordsight.synth.fonts import CAP_HEIGHT

Box = tuple[int, int, int, int]
_Floats = NDArray[np.float64]
_Any = NDArray[np.floating[Any]]

# A word of 40 letters is squeezed to 128 px for the model: wider crops would only cost time.
_WIDEST = 400


@dataclass(frozen=True)
class View:
    """How the plane of a word is seen, cut out and recorded.

    Attributes:
        rows: of the sensor; pixels, as those that follow.
        columns: of the sensor.
        high: of the crop, which is as large as the sensor, or larger than the model's input and so than that.
        wide: of the crop.
        inverse: from the sensor to the plane: a homography, row by row.
        ring: radius of the circle on which the word is set, negative: on its lower half; 0: straight.
        middle: the word's centre in the plane.
        shrink: factors (across, down) by which the plane is reduced before, against aliasing.
    """

    rows: int
    columns: int
    high: int
    wide: int
    inverse: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    ring: float = 0.0
    middle: tuple[float, float] = (0.0, 0.0)
    shrink: tuple[int, int] = (1, 1)


def random_view(
    rng: random.Random,
    box: Box,
    letters: float,
    config: RenderConfig,
    canvas: tuple[int, int],
    curls: bool,
    natural: bool,
) -> View:
    """A view of the word in `box` of a plane: rotated, sheared, in perspective, curved, then cut with margins.

    The word is about `letters` pixels high in the crop, less if the crop would be wider than both 400 px and `canvas`.
    The crop is the upright rectangle around the transformed box, as ICDAR cuts its crops, with margins from slightly
    inside the ink to loose. `canvas` is the (rows, columns) of the largest sensor; `curls` allows curves; with
    `natural`, what is larger than the sensor is scaled down as a whole, instead of in one direction only.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    ring = _ring(rng, width, height, config) if curls else 0.0
    along = [x0 + width * k / 8 for k in range(9)] if ring else [x0, x1]
    outline = np.array([(x, y) for x in along for y in (y0, y1)])
    forward = _camera(rng, box, config)
    seen = project(forward, curled(outline, ring, middle) if ring else outline)
    (low_x, low_y), (high_x, high_y) = seen.min(0).tolist(), seen.max(0).tolist()
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
    wide = max(8, round((high_x - low_x) * scale + left + right))
    high = max(8, round((high_y - low_y) * scale + above + below))
    columns, rows = min(wide, canvas[1]), min(high, canvas[0])
    across, down = columns / wide, rows / high
    to_sensor = np.array(
        [
            [scale * across, 0.0, (left - low_x * scale) * across],
            [0.0, scale * down, (above - low_y * scale) * down],
            [0.0, 0.0, 1.0],
        ]
    )
    inverse = np.linalg.inv(to_sensor @ forward)
    x, y = columns / 2, rows / 2
    here, right_of, below_it = project(inverse, np.array([(x, y), (x + 1, y), (x, y + 1)]))
    steps = np.hypot(right_of - here, below_it - here).tolist()  # of the plane for a pixel
    shrink = max(1, int(steps[0])), max(1, int(steps[1]))
    return View(rows, columns, high, wide, tuple((inverse / inverse[2, 2]).ravel().tolist()), ring, middle, shrink)


def _ring(rng: random.Random, width: int, height: int, config: RenderConfig) -> float:
    """The radius of the circle on which a word is set, above 0 on its upper half, below 0 on its lower; 0: straight."""
    form = rng.random()
    if width < 1.5 * height or form > config.curved + config.circular:
        return 0.0
    sign = rng.choice((1, 1, -1))
    if form < config.curved:  # so that its middle is this much higher than its ends
        rise = height * rng.uniform(0.2, 0.9) * min(1.0, width / height / 3)
        return sign * (width**2 / 4 + rise**2) / (2 * rise)
    return sign * max(width / 2 / rng.uniform(0.5, 1.3), 1.2 * height)


def curled(points: _Floats, ring: float, middle: tuple[float, float]) -> _Floats:
    """Points (N, 2) of a straight word around `middle`, on a circle of radius `ring`."""
    x, y = points[:, 0] - middle[0], points[:, 1] - middle[1]
    sign = math.copysign(1, ring)
    angle, radius = x / abs(ring), sign * (ring - y)
    return np.stack((middle[0] + radius * np.sin(angle), middle[1] + ring - sign * radius * np.cos(angle)), 1)


def straightened(x: _Any, y: _Any, ring: float) -> tuple[_Any, _Any]:
    """Where points of a curled word lay when it was straight, its middle at (0, 0): the inverse of `curled`."""
    sign = math.copysign(1, ring)
    up = sign * (ring - y)  # from the circle's middle towards the word
    return abs(ring) * np.arctan2(x, up), ring - sign * np.hypot(x, up)


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


def _camera(rng: random.Random, box: Box, config: RenderConfig) -> _Floats:
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
    matrix = np.array([[stretch, shear, 0.0], [lean * stretch, 1.0, 0.0], [0.0, 0.0, 1.0]])
    matrix[:2, 2] = -matrix[:2, :2] @ ((x0 + x1) / 2, (y0 + y1) / 2)
    matrix[:2] = np.array([[cos, -sin], [sin, cos]]) @ matrix[:2]
    if rng.random() < config.perspective:
        # The far end of the word is up to about half as large as the near one.
        reach = 0.5 * (width + height) * max(1.0, stretch)
        matrix[2] += rng.uniform(-0.3, 0.3) / reach * matrix[0] + rng.uniform(-0.15, 0.15) / reach * matrix[1]
    return matrix
