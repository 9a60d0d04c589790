"""Very long lines: windows, and their readings joined."""

from itertools import pairwise

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.reading.windows import OVERLAP, WINDOW, joined, windows

HEIGHT = 20


def _reading(text: str, first: int, confidence: float = 0.9) -> Reading:
    """Characters of one width each, from the `first`-th on of those that a window has."""
    edges = np.linspace(0, 1, len(text) + 1)
    chars = tuple(Char(c, 0.99) for c in text)
    places = tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    words, start = [], 0
    for word in text.split(" "):
        end = start + len(word)
        if word:
            words.append(Reading(word, confidence, chars[start:end], places=places[start:end]))
        start = end + 1
    return Reading(text, confidence, chars, places=places, words=tuple(words) if len(words) > 1 else ())


def _read(text: str, spans: list[tuple[float, float]], pitch: float) -> list[Reading]:
    return [_reading(text[round(a / pitch) : round(b / pitch)], round(a / pitch)) for a, b in spans]


def test_a_line_is_one_window_until_it_is_very_long():
    assert windows(HEIGHT, 100) == [(0, 100)]
    assert windows(HEIGHT, int(WINDOW * HEIGHT)) == [(0, WINDOW * HEIGHT)]
    spans = windows(HEIGHT, 5000)
    assert spans[0][0] == 0
    assert spans[-1][1] == 5000
    assert all(b - a == WINDOW * HEIGHT for a, b in spans)
    assert all(left[1] - right[0] >= OVERLAP * HEIGHT for left, right in pairwise(spans))


TEXT = "all visitors must report to reception on arrival and keep this door closed at all times, 100000 thanks! " * 3


@pytest.mark.parametrize("pitch", [10, 25])
def test_every_character_comes_once(pitch: int) -> None:
    text = TEXT[: 4000 // pitch * 2].strip()
    width = len(text) * pitch
    spans = [(round(a / pitch) * pitch, round(b / pitch) * pitch) for a, b in windows(HEIGHT, width)]
    assert len(spans) > 2
    line = joined(_read(text, spans, pitch), spans, width)
    assert line.text == text
    assert [word.text for word in line.words] == text.split()
    middles = [(a + b) / 2 for a, b in line.places]
    np.testing.assert_allclose(middles, (np.arange(len(text)) + 0.5) / len(text), atol=1 / len(text))


def test_a_letter_that_a_border_cut_is_taken_from_the_other_window() -> None:
    spans = [(0.0, 12.0), (6.0, 18.0)]
    left, right = _reading("abcdefghijkX", 0, 0.8), _reading("Yhijklmnopqr", 6, 0.5)
    line = joined([left, right], spans, 18)
    assert line.text == "abcdefghijklmnopqr"
    assert line.confidence == pytest.approx(0.4)


def test_without_agreement_places_decide() -> None:
    line = joined([_reading("aaaaaa", 0), _reading("bbbbb", 4)], [(0.0, 6.0), (4.0, 9.0)], 9)
    assert line.text == "aaaaabbbb"


def test_one_window_is_the_line() -> None:
    reading = _reading("as it is", 0)
    assert joined([reading], [(0.0, 8.0)], 8) is reading
