"""Words that climb or fall in their box: doubtful ones are made level, too, and the surest reading counts."""

from collections.abc import Sequence

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.lines import one_word, read_strips, sloping, upside_down
from wordsight.reading.strips import Look, Strip

WIDTH, HEIGHT = 160, 48


def _strip(climb: float) -> Strip:
    """A bright band across a dark box, higher at its right end by `climb` of the box's height; lower if negative."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    middle = HEIGHT / 2 + climb * HEIGHT * (0.5 - x / WIDTH)
    band = (np.abs(y - middle) < 0.15 * HEIGHT).astype(np.uint8)
    pixels = np.repeat(255 * band[..., None], 3, axis=2)
    outline = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float64)
    return Strip(pixels, outline)


def _rise(pixels: np.ndarray) -> float:
    """How much higher the band lies in the right quarter than in the left one, as a share of the height."""
    rows = np.arange(len(pixels))[:, None]
    bright = pixels[:, :, 0].astype(float)
    at = (rows * bright).sum(axis=0) / bright.sum(axis=0)
    quarter = len(at) // 4
    return float(at[:quarter].mean() - at[-quarter:].mean()) / len(pixels)


class Level:
    """Is sure of level bands only."""

    def __init__(self) -> None:
        self.looks: list[int] = []

    def __call__(self, looks: Sequence[Look]) -> list[Reading]:
        self.looks.append(len(looks))
        return [self._read(abs(_rise(look.pixels)) < 0.05) for look in looks]

    def _read(self, level: bool) -> Reading:
        text, probability = ("level", 0.98) if level else ("slope", 0.8)
        return Reading(text, probability ** (len(text) + 1), tuple(Char(c, probability) for c in text))


@pytest.mark.parametrize("climb", [-0.3, -0.1, 0.1, 0.3])
def test_what_climbs_or_falls_is_made_level(climb: float) -> None:
    strip = _strip(climb)
    level = strip.levelled(climb)
    assert abs(_rise(strip.pixels)) > 0.05
    assert abs(_rise(level.pixels)) < 0.01
    assert level.pixels.shape[0] == pytest.approx((1 - abs(climb)) * HEIGHT, abs=1)
    assert level.pixels.shape[1] == pytest.approx(WIDTH, rel=0.02)
    np.testing.assert_array_equal(level.polygon, strip.polygon)


@pytest.mark.parametrize("climb", [-0.25, 0.25])
def test_a_doubtful_word_is_also_read_made_level(climb: float) -> None:
    read = Level()
    (attempt,) = read_strips([_strip(climb)], read, split=False, again=sloping)
    word = one_word(attempt)
    assert read.looks == [1, 2]
    assert word.text == "level"
    assert word.polygon == ((0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT))


def test_a_sure_one_is_not() -> None:
    read = Level()
    (attempt,) = read_strips([_strip(0.0)], read, split=False, again=sloping)
    assert (one_word(attempt).text, read.looks) == ("level", [1])


def test_where_nothing_is_read_no_slope_is_looked_for() -> None:
    looks: list[int] = []

    def read(crops: Sequence[Look]) -> list[Reading]:
        looks.append(len(crops))
        return [Reading("", 0.5)] * len(crops)

    (attempt,) = read_strips([_strip(0.25)], read, split=False, again=sloping)
    assert (one_word(attempt).text, looks) == ("", [1])


def test_lines_of_a_detector_are_turned_round_instead() -> None:
    read = Level()
    (attempt,) = read_strips([_strip(0.25)], read, split=False, again=upside_down)
    assert (one_word(attempt).text, read.looks) == ("slope", [1, 1])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_boxes_of_a_few_pixels_are_read_too(size: tuple[int, int]) -> None:
    strip = Strip(np.zeros((*size, 3), np.uint8), _strip(0.0).polygon)
    doubtful = Reading("?", 0.1, (Char("?", 0.2),))
    (attempt,) = read_strips([strip], lambda looks: [doubtful] * len(looks), split=False, again=sloping)
    assert one_word(attempt).text == "?"
