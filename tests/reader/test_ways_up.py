"""Which way up a tall box is read: several letters as it stands are the least likely."""

from collections.abc import Sequence

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.lines import Attempt, read_strips, words
from wordsight.reading.strips import Look, Strip

TALL = Strip(np.full((60, 20, 3), 200, np.uint8), np.array([(0, 0), (20, 0), (20, 60), (0, 60)], np.float64))


def _said(text: str, probability: float) -> Reading:
    return Reading(text, probability ** (len(text) + 1), tuple(Char(c, probability) for c in text))


@pytest.mark.parametrize(
    ("standing", "turned", "expected"),
    [
        (("SALE", 0.92), ("WALK", 0.9), "WALK"),
        (("SALE", 0.92), ("WALK", 0.7), "SALE"),
        (("AB", 0.85), ("OC", 0.87), "AB"),  # one or two letters may well stand upright
        (("AB", 0.85), ("OC", 0.97), "OC"),
        (("", 0.9), ("WALK", 0.9), "WALK"),
    ],
)
def test_several_letters_seldom_stand_upright_in_a_tall_box(
    standing: tuple[str, float], turned: tuple[str, float], expected: str
) -> None:
    ways: list[int] = []

    def read(looks: Sequence[Look]) -> list[Reading]:
        ways.append(len(looks))
        upright = [look.pixels.shape[0] > look.pixels.shape[1] for look in looks]
        assert upright == [True, False, False]
        return [_said(*standing), _said(*turned), _said("x", 0.1)]

    (attempt,) = read_strips([TALL], read)
    assert attempt.reading.text == expected
    assert ways == [3]


def _lines(heights: Sequence[int]) -> list[Strip]:
    return [
        Strip(np.full((h, 4 * h, 3), h, np.uint8), np.array([(0, 0), (4 * h, 0), (4 * h, h), (0, h)], np.float64))
        for h in heights
    ]


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (
            {50: ("EXIT", 0.97), 51: ("OPEN", 0.97), 20: ("junk", 0.7), 30: ("NAd0", 0.7)},
            [30],
        ),  # small ones lie so, too
        ({50: ("EXIT", 0.97), 51: ("ju", 0.97), 20: ("junk", 0.7), 30: ("NAd0", 0.7)}, [20, 30]),  # one sure line
        ({50: ("EXIT", 0.97), 51: ("OPEN", 0.97), 30: ("NAd0", 0.2)}, [30]),
    ],
)
def test_which_doubtful_lines_of_a_photo_are_looked_at_upside_down(
    said: dict[int, tuple[str, float]], again: list[int]
) -> None:
    looks: list[list[int]] = []

    def read(shown: Sequence[Look]) -> list[Reading]:
        looks.append([look.pixels[0, 0, 0] for look in shown])
        return [_said(*said[height]) for height in looks[-1]]

    read_strips(_lines([*said]), read, turn="photo")
    assert looks == [[*said], again]
    looks.clear()
    read_strips(_lines([*said]), read, turn="each")
    assert looks[1] == [height for height, (_, probability) in said.items() if probability < 0.9]


def test_words_of_a_reading_without_characters_are_words_all_the_same() -> None:
    outline = np.array([(0, 0), (90, 0), (90, 20), (0, 20)], float)
    strip = Strip(np.full((20, 90, 3), 200, np.uint8), outline)
    found = words(Attempt.of(strip, Reading("two words", 0.8)))
    assert [(word.text, word.confidence) for word in found] == [("two", 0.8), ("words", 0.8)]
