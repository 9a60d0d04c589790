"""Thorough readers: words in doubt are read from four more angles, and what these readings agree on counts."""

from collections.abc import Sequence

import numpy as np
import pytest
from word_cards import FoundCard

from wordsight import Reader
from wordsight.decoding import Char, Reading
from wordsight.imaging import Preprocessing
from wordsight.reading.angles import all_angles, as_it_lies, as_seen, for_lines, softened
from wordsight.reading.lines import one_word, read_strips
from wordsight.reading.strips import Look, Strip

WIDTH, HEIGHT = 160, 48
OUTLINE = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float64)


def _said(text: str, probability: float) -> Reading:
    each = probability ** (1 / (len(text) + 1))
    return Reading(text, probability, tuple(Char(c, each) for c in text))


def _leaning(slant: float) -> Strip:
    """Bright strokes on dark ground whose upper ends lie further to the right by `slant` of their height."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    foot = x - slant * (HEIGHT / 2 - y)
    strokes = (np.abs((foot - 20) % 40 - 20) < 5).astype(np.uint8)
    return Strip(np.repeat(40 + 200 * strokes[..., None], 3, axis=2), OUTLINE)


@pytest.mark.parametrize("slant", [-0.4, -0.25, 0.25, 0.4])
def test_letters_that_lean_are_made_upright(slant: float) -> None:
    strip = _leaning(slant)
    upright = strip.upright(slant)
    # Down a column there is all stroke or all ground.
    assert upright.pixels[:, 30:-30, 0].std(axis=0).mean() < 5
    assert strip.pixels[:, 30:-30, 0].std(axis=0).mean() > 20
    assert upright.pixels.shape[0] == HEIGHT
    np.testing.assert_array_equal(upright.polygon, strip.polygon)


def test_four_angles_and_none() -> None:
    strip = Strip(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), OUTLINE)
    shown = all_angles(strip)
    assert len(shown) == 4
    assert len({one.pixels.tobytes() for one in [strip, *shown]}) == 5
    assert as_it_lies(strip) == []


def test_stretched_only_where_another_look_could_agree() -> None:
    """A strip that is too low to be softened has one only if there are angles."""
    low = Strip(np.full((39, 100, 3), 90, np.uint8), OUTLINE)
    assert for_lines(as_it_lies)(low) == []
    assert [one.pixels.shape[1] for one in for_lines(all_angles)(low)][-1] == 140


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (9, 3)])
def test_a_few_pixels_have_no_angles(size: tuple[int, int]) -> None:
    strip = Strip(np.zeros((*size, 3), np.uint8), OUTLINE)
    assert all_angles(strip) == as_seen(strip) == []


def test_curved_text_was_straightened_along_its_polygon() -> None:
    outline = np.array([(0, 0), (80, 5), (160, 0), (160, 48), (80, 53), (0, 48)], np.float64)
    assert all_angles(Strip(_leaning(0).pixels, outline)) == []


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([("hat", 0.3), ("bat", 0.2), ("bat", 0.2), ("cat", 0.1), ("", 0.9)], "bat"),  # two agree
        ([("hat", 0.3), ("bat", 0.1), ("bat", 0.1), ("cat", 0.1), ("", 0.9)], "hat"),  # less than one is sure
        ([("hat", 0.1), ("bat", 0.7), ("cat", 0.3), ("cat", 0.3), ("", 0.9)], "bat"),
        ([("hat", 0.4), ("", 0.9), ("", 0.9), ("", 0.9), ("", 0.9)], "hat"),  # nothing is no text
    ],
)
def test_what_most_of_the_probability_says_counts(readings: list[tuple[str, float]], expected: str) -> None:
    calls: list[int] = []

    def read(looks: Sequence[Look]) -> list[Reading]:
        calls.append(len(looks))
        first = len(calls) == 1
        return [_said(*one) for one in (readings[:1] if first else readings[1:])]

    (attempt,) = read_strips([_leaning(0)], read, angles=all_angles)
    word = one_word(attempt)
    assert calls == [1, 4]
    assert word.text == expected
    assert word.confidence == pytest.approx(max(p for text, p in readings if text == expected))


def test_sure_ones_and_empty_ones_are_read_once() -> None:
    for said in (_said("sure", 0.98), Reading("", 0.4)):
        calls: list[int] = []

        def read(looks: Sequence[Look], said: Reading = said, calls: list[int] = calls) -> list[Reading]:
            calls.append(len(looks))
            return [said] * len(looks)

        (attempt,) = read_strips([_leaning(0)], read, angles=all_angles)
        assert (one_word(attempt).text, calls) == (said.text, [1])


class Doubting:
    """A recognizer that doubts whatever it reads."""

    provider = "DoubtingExecutionProvider"
    preprocessing = Preprocessing()

    def __init__(self) -> None:
        self.looks: list[int] = []

    def read(self, images: np.ndarray) -> list[Reading]:
        self.looks.append(len(images))
        return [_said("doubt", 0.2)] * len(images)


class Detector:
    """Finds one line."""

    def detect(self, image: np.ndarray) -> list[FoundCard]:
        return [FoundCard(OUTLINE + 20)]


@pytest.mark.parametrize(("tta", "expected"), [(False, [[1], [1, 1], [1, 1]]), (True, [[1, 4], [1, 5], [1, 1]])])
def test_tta_readers_read_crops_and_boxes_so_but_not_detected_lines(tta: bool, expected: list[list[int]]) -> None:
    photo = np.full((HEIGHT + 40, WIDTH + 40, 3), 40, np.uint8)
    photo[20:-20, 20:-20] = _leaning(0).pixels
    seen = []
    for kind in ("crop", "box", "detected"):
        recognizer = Doubting()
        reader = Reader.of(recognizer, Detector(), tta=tta, min_confidence=0)  # type: ignore[arg-type]
        if kind == "crop":
            reader.read_crops([photo[20:-20, 20:-20]])
        else:
            reader.read(photo, [OUTLINE + 20] if kind == "box" else None)
        seen.append(recognizer.looks)
    assert seen == expected


def test_the_dots_of_print_become_strokes() -> None:
    """Dots of three pixels and as much between them: softened, the row that they are in is one stroke."""
    pixels = np.full((72, 240, 3), 255, np.uint8)
    for left in range(12, 228, 6):
        pixels[30:38, left : left + 3] = 0
    strip = Strip(pixels, np.array([(0, 0), (240, 0), (240, 72), (0, 72)], np.float64))
    assert strip.is_detailed
    (soft,) = softened(strip)
    assert soft.pixels.shape == pixels.shape
    row = soft.pixels[34, 30:210].astype(int)
    assert np.ptp(row) < 0.5 * 255
    assert row.max() < soft.pixels[10].min() - 40
    (wide, soft) = for_lines(as_it_lies)(strip)
    assert (wide.pixels.shape[1], soft.pixels.shape[1]) == (336, 240)
    (soft,) = for_lines(as_it_lies)(strip, legible=False)
    assert soft.pixels.shape == pixels.shape
    low = Strip(pixels[::2], strip.polygon / (1, 2))
    assert not low.is_detailed
    assert softened(low) == for_lines(as_it_lies)(low, legible=False) == []


@pytest.mark.parametrize(("found", "wanted"), [(_said("print", 0.98), "print"), (_said("dirt", 0.4), "")])
def test_where_nothing_is_read_only_what_is_surely_read_counts(found: Reading, wanted: str) -> None:
    pixels = np.full((72, 240, 3), 255, np.uint8)
    strip = Strip(pixels, np.array([(0, 0), (240, 0), (240, 72), (0, 72)], np.float64))
    said = iter([Reading("", 0.1), found])
    (attempt,) = read_strips([strip], lambda looks: [next(said) for _ in looks], angles=for_lines(as_it_lies))
    assert one_word(attempt).text == wanted
