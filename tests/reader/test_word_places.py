"""Where the words of a line begin and end."""

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.lines import Attempt, words
from wordsight.reading.strips import Strip


def drawn_words(bars: list[tuple[int, int]], spans: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Where words begin and end that stand on these bars of ink, 200 x 40 pixels, and are said to span these."""
    pixels = np.full((40, 200, 3), 220, np.uint8)
    for start, end in bars:
        pixels[8:32, start:end] = 20
    strip = Strip(pixels, np.array([[0, 0], [200, 0], [200, 40], [0, 40]], float))
    parts = tuple(
        (span, Reading("ab", 0.9, (Char("a", 0.9), Char("b", 0.9)), places=((0.0, 0.5), (0.5, 1.0)))) for span in spans
    )
    found = words(Attempt(strip, Reading("ab", 0.9), parts))
    return [(word.polygon[0][0], word.polygon[1][0]) for word in found]


def test_words_begin_with_their_ink_although_frames_say_them_late():
    assert drawn_words([(20, 90)], [(26, 96)]) == [(pytest.approx(20, abs=1.1), pytest.approx(90, abs=2.1))]
    ((start, _),) = drawn_words([(20, 90)], [(40, 96)])  # too late for that
    assert start == pytest.approx(32)


def test_words_do_not_begin_within_the_one_before():
    (_, end), (start, _) = drawn_words([(20, 90), (94, 160)], [(20, 90), (96, 160)])
    assert end <= 92
    assert start == pytest.approx(93, abs=1.1)


def test_words_end_where_their_ink_does():
    ((_, end),) = drawn_words([(20, 90)], [(20, 86)])
    assert end == pytest.approx(91, abs=1.1)
    ((_, end),) = drawn_words([(20, 84), (88, 120)], [(20, 86)])  # other ink, for example a frame, after a gap
    assert end <= 86
    (_, end), (start, _) = drawn_words([(20, 94), (98, 160)], [(20, 90), (100, 160)])
    assert end == pytest.approx(95, abs=1.1)
    assert start == pytest.approx(97, abs=1.1)
