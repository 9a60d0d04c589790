"""Bars, tiles and windows below each other look like one letter again and again: that is no text."""

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.lines import Attempt, without_gratings
from wordsight.reading.strips import Strip


def attempt(text: str, turned: int = 0) -> Attempt:
    width, height = (20, 100) if turned else (100, 20)
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    strip = Strip(np.zeros((height, width, 3), np.uint8), outline).turned(turned)
    return Attempt.of(strip, Reading(text, 0.9, tuple(Char(one, 0.98) for one in text)))


@pytest.mark.parametrize(
    ("text", "turned", "grating"),
    [("000000", 1, True), ("000000", 3, True), ("0000", 0, False), ("1000", 1, False), ("000", 1, False)],
)
def test_one_sign_again_and_again_up_or_down_is_no_text(text, turned, grating):
    found, word = attempt(text, turned), attempt("word")
    assert without_gratings([found, word]) == ([word] if grating else [found, word])


def test_one_sign_all_over_a_photo_is_no_text():
    rings, word = [attempt("00000000"), attempt("0000 000"), attempt("OOOO")], attempt("word")
    assert without_gratings([*rings, word]) == [word]
    assert without_gratings([*rings[:2], word]) == [*rings[:2], word]
    rulers = [attempt("--------")] * 4  # of a receipt
    assert without_gratings([*rulers, word]) == [*rulers, word]
