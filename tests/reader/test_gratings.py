"""Bars, tiles and windows below each other look like one letter again and again: that is no text."""

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.lines import Attempt
from wordsight.reading.strips import Strip


@pytest.mark.parametrize(
    ("text", "turned", "grating"),
    [("000000", 1, True), ("000000", 3, True), ("0000", 0, False), ("1000", 1, False), ("000", 1, False)],
)
def test_one_sign_again_and_again_up_or_down_is_no_text(text, turned, grating):
    width, height = (20, 100) if turned else (100, 20)
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    strip = Strip(np.zeros((height, width, 3), np.uint8), outline).turned(turned)
    reading = Reading(text, 0.9, tuple(Char(one, 0.98) for one in text))
    assert Attempt.of(strip, reading).is_grating == grating
