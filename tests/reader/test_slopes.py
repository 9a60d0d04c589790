"""Words that climb or fall in their box: doubtful ones are made level, too, and the surest reading counts."""

from collections.abc import Sequence

import numpy as np
import pytest
from word_cards import FoundCard

from wordsight import Reader
from wordsight.decoding import Char, Reading
from wordsight.imaging import Preprocessing
from wordsight.reading.angles import as_seen
from wordsight.reading.lines import one_word, read_strips
from wordsight.reading.slopes import climb
from wordsight.reading.strips import Look, Strip

WIDTH, HEIGHT = 160, 48
OUTLINE = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float64)


def _strip(climbs: float) -> Strip:
    """Bright strokes across a dark box, higher at its right end by `climbs` of the box's height; lower if negative."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    middle = HEIGHT / 2 + climbs * HEIGHT * (0.5 - x / WIDTH)
    strokes = ((np.abs(y - middle) < 0.2 * HEIGHT) & (x % 10 > 4)).astype(np.uint8)
    return Strip(np.repeat(40 + 200 * strokes[..., None], 3, axis=2), OUTLINE)


def _rise(pixels: np.ndarray) -> float:
    """How much higher the strokes lie in the right quarter than in the left one, as a share of the height."""
    rows = np.arange(len(pixels))[:, None]
    bright = np.maximum(pixels[:, :, 0].astype(float) - 60, 0)
    quarter = bright.shape[1] // 4
    left, right = bright[:, :quarter], bright[:, -quarter:]
    return float((rows * left).sum() / left.sum() - (rows * right).sum() / right.sum()) / len(pixels)


class Level:
    """A recognizer that is sure of level strokes only."""

    provider = "LevelExecutionProvider"
    preprocessing = Preprocessing()

    def __init__(self, sure: float = 0.98) -> None:
        self.sure = sure
        self.looks: list[int] = []

    def __call__(self, looks: Sequence[Look]) -> list[Reading]:
        self.looks.append(len(looks))
        return [self._read(abs(_rise(look.pixels)) < 0.05) for look in looks]

    def read(self, images: np.ndarray) -> list[Reading]:
        shown = ((images * 0.5 + 0.5) * 255).transpose(0, 2, 3, 1)
        return self([Look(pixels, None) for pixels in shown])

    def _read(self, level: bool) -> Reading:
        text, probability = ("level", self.sure) if level else ("slope", 0.8)
        return Reading(text, probability ** (len(text) + 1), tuple(Char(c, probability) for c in text))


@pytest.mark.parametrize("climbs", [-0.3, -0.1, 0.1, 0.3])
def test_what_climbs_or_falls_is_made_level(climbs: float) -> None:
    strip = _strip(climbs)
    level = strip.levelled(climbs)
    assert abs(_rise(strip.pixels)) > 0.05
    assert abs(_rise(level.pixels)) < 0.02
    assert level.pixels.shape[0] == pytest.approx((1 - abs(climbs)) * HEIGHT, abs=1)
    assert level.pixels.shape[1] == pytest.approx(WIDTH, rel=0.02)
    np.testing.assert_array_equal(level.polygon, strip.polygon)


@pytest.mark.parametrize("noise", [0, 12])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("climbs", [-0.5, -0.25, 0, 0.25, 0.5])
def test_it_is_seen_how_far_text_climbs(climbs: float, dark: bool, noise: int) -> None:
    pixels = _strip(climbs).pixels + np.random.default_rng(0).normal(0, noise, (HEIGHT, WIDTH, 1))
    shown = np.clip(255 - pixels if dark else pixels, 0, 255).astype(np.uint8)
    assert climb(shown) == pytest.approx(climbs, abs=0.05)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (40, 160)])
def test_nothing_climbs_where_there_is_nothing(size: tuple[int, int]) -> None:
    assert climb(np.full((*size, 3), 90, np.uint8)) == 0


@pytest.mark.parametrize("climbs", [-0.25, 0.25])
def test_a_doubtful_word_is_also_read_made_level(climbs: float) -> None:
    read = Level()
    (attempt,) = read_strips([_strip(climbs)], read, angles=as_seen)
    word = one_word(attempt)
    assert read.looks == [1, 1]
    assert word.text == "level"
    assert word.polygon == ((0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT))


@pytest.mark.parametrize(("sure", "text"), [(0.83, "slope"), (0.9, "level")])
def test_made_level_it_has_to_be_surer_by_more_than_chance(sure: float, text: str) -> None:
    (attempt,) = read_strips([_strip(0.25)], Level(sure), angles=as_seen)
    assert one_word(attempt).text == text


def test_a_sure_one_is_not() -> None:
    read = Level()
    (attempt,) = read_strips([_strip(0.0)], read, angles=as_seen)
    assert (one_word(attempt).text, read.looks) == ("level", [1])


def test_a_doubtful_one_that_is_seen_to_be_level_is_not() -> None:
    looks: list[int] = []

    def read(crops: Sequence[Look]) -> list[Reading]:
        looks.append(len(crops))
        return [Reading("?", 0.1, (Char("?", 0.2),))] * len(crops)

    (attempt,) = read_strips([_strip(0.0)], read, angles=as_seen)
    assert (one_word(attempt).text, looks) == ("?", [1])


def test_where_nothing_is_read_no_slope_is_looked_for() -> None:
    looks: list[int] = []

    def read(crops: Sequence[Look]) -> list[Reading]:
        looks.append(len(crops))
        return [Reading("", 0.5)] * len(crops)

    (attempt,) = read_strips([_strip(0.25)], read, angles=as_seen)
    assert (one_word(attempt).text, looks) == ("", [1])


def test_lines_of_a_detector_are_turned_round_instead() -> None:
    read = Level()
    (attempt,) = read_strips([_strip(0.25)], read, turn="each")
    assert (one_word(attempt).text, read.looks) == ("slope", [1, 1])


def test_in_photos_boxes_of_the_users_own_may_slope_and_detected_ones_do_not() -> None:
    photo = np.full((HEIGHT + 40, WIDTH + 40, 3), 40, np.uint8)
    photo[20:-20, 20:-20] = _strip(0.25).pixels

    class Detector:
        def detect(self, image: np.ndarray) -> list[FoundCard]:
            return [FoundCard(OUTLINE + 20)]

    recognizer = Level()
    reader = Reader.of(recognizer, Detector(), min_confidence=0)  # type: ignore[arg-type]
    found = reader.read(photo), reader.read(photo, [OUTLINE + 20])
    assert [word.text for given in found for word in given.words] == ["slope", "level"]
    assert recognizer.looks == [1, 1, 1, 2]  # upside down; upside down and made level


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_boxes_of_a_few_pixels_are_read_too(size: tuple[int, int]) -> None:
    strip = Strip(np.zeros((*size, 3), np.uint8), OUTLINE)
    doubtful = Reading("?", 0.1, (Char("?", 0.2),))
    (attempt,) = read_strips([strip], lambda looks: [doubtful] * len(looks), angles=as_seen)
    assert one_word(attempt).text == "?"
