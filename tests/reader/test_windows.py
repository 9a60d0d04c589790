"""Wide text is read in overlapping windows; the seams must neither double nor lose characters."""

import random
from itertools import pairwise

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.windows import WINDOW, Span, merge, windows

HEIGHT = 32
TEXTS = [
    "BOOKKEEPERS-AND-COMMITTEES-OF-TENNESSEE",
    "Mississippi llama bookkeeper aggressiveness",
    "www.example.com/committee/balloon",
    "+49 (0)30 2002 2002 2200",
    "Illinois Hill Billiards, Williamsville",
]
REPETITIVE = ["100000000000000000000", "A" * 30, "ab" * 14, "2002" * 8]


def _reading(text: str, probability: float = 0.9, end: float = 0.8) -> Reading:
    chars = tuple(Char(c, probability) for c in text)
    return Reading(text, probability ** len(text) * end, chars)


def _letter_borders(text: str, letter: float) -> list[float]:
    """x of the borders between letters of a proportional face: narrow i, l, punctuation; wide m, w."""
    widths = [letter * (0.5 if c in "iIl.,-()/ " else 1.4 if c in "mMwW" else 1.0) for c in text]
    return [0.0, *np.cumsum(widths).tolist()]


def _strip(borders: list[float]) -> np.ndarray:
    """A picture with a dark bar for every letter and two light columns between letters."""
    strip = np.full((HEIGHT, round(borders[-1]), 3), 230, np.uint8)
    for left, right in pairwise(borders):
        strip[6:26, round(left) + 1 : round(right) - 1] = 20
    return strip


def _look(text: str, borders: list[float], spans: list[Span], junk: str = "") -> list[Reading]:
    """What a perfect reader sees in each window; of a letter cut by a border it sees nothing, or `junk`."""
    dice = random.Random(text)
    out = []
    for x0, x1 in spans:
        seen = ""
        for c, left, right in zip(text, borders, borders[1:], strict=False):
            visible = (min(right, x1) - max(left, x0)) / (right - left)
            if visible > 0.9:
                seen += c
            elif visible > 0.25 and junk:
                seen += dice.choice(junk)
        out.append(_reading(seen))
    return out


def test_windows_cover_the_span_and_overlap() -> None:
    for width in (10, 150, 161, 200, 333, 1000):
        strip = np.zeros((HEIGHT, width + 20, 3), np.uint8)
        spans = windows(strip, (7, 7 + width))
        assert spans[0][0] == 7
        assert spans[-1][1] == 7 + width
        assert all(b - a <= (WINDOW + 1) * HEIGHT for a, b in spans)
        for (_, end), (start, _) in pairwise(spans):
            assert end - start >= HEIGHT


def test_borders_of_windows_stand_between_letters() -> None:
    borders = _letter_borders("MMMMMMMMMMMMMMMMMMMM", 14)
    spans = windows(_strip(borders), (0, borders[-1]))
    assert len(spans) > 2
    for x in [x for span in spans for x in span]:
        assert min(abs(x - border) for border in borders) <= 1.5


@pytest.mark.parametrize("text", [*TEXTS, *REPETITIVE])
@pytest.mark.parametrize("letter", [9.0, 13.7, 16.0, 21.3])
def test_seam_neither_doubles_nor_loses_characters(text: str, letter: float) -> None:
    borders = _letter_borders(text, letter)
    spans = windows(_strip(borders), (0, borders[-1]))
    assert merge(_look(text, borders, spans), spans).text == text


@pytest.mark.parametrize("junk", ["", "lI|(r"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("letter", [11.3, 13.7, 16.0, 18.9])
def test_letters_cut_by_a_border_do_not_reach_the_result(text: str, letter: float, junk: str) -> None:
    borders = _letter_borders(text, letter)
    spans = windows(np.zeros((HEIGHT, round(borders[-1]), 3), np.uint8), (0, borders[-1]))  # no gap to be found
    assert len(spans) > 1
    assert merge(_look(text, borders, spans, junk), spans).text == text


def test_misread_character_in_the_overlap_does_not_break_the_seam() -> None:
    spans = [(0.0, 160.0), (96.0, 256.0)]
    left, right = _reading("MISUNDERST"), _reading("ERSTANDING")
    for wrong in ("ERPTANDING", "EPSTANDING", "RSTANDING", "EERSTANDING"):
        assert merge([left, _reading(wrong, 0.5)], spans).text == "MISUNDERSTANDING", wrong
    for wrong in ("MISUNDEPST", "MISUNDERSI", "MISUNDERS"):
        assert merge([_reading(wrong, 0.5), right], spans).text == "MISUNDERSTANDING", wrong


def test_disagreeing_windows_are_joined_by_place() -> None:
    spans = [(0.0, 160.0), (96.0, 256.0)]
    merged = merge([_reading("abcdefghij"), _reading("0123456789")], spans)
    assert merged.text == "abcdefgh23456789"


def test_empty_windows_and_confidence() -> None:
    spans = [(0.0, 160.0), (96.0, 256.0)]
    assert merge([_reading(""), _reading("")], spans).text == ""
    assert merge([_reading("abc"), _reading("")], spans).text == "ab"  # c was seen where the second window sees nothing
    one = merge([_reading("abcd")], spans[:1])
    assert one.text == "abcd"
    assert one.confidence == pytest.approx(0.9**4 * 0.8)
    two = merge([_reading("abcdefghij", 0.9), _reading("ghijklmnop", 0.8, end=0.5)], spans)
    assert two.text == "abcdefghijklmnop"
    assert two.confidence == pytest.approx(0.5 * np.prod([c.probability for c in two.chars]))
    assert [c.probability for c in two.chars[:9]] == [0.9] * 9  # of letters seen twice the surer reading
