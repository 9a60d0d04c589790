import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight.detect import split_words
from wordsight.detect.gaps import gap_probability, to_columns


def line(text: str, size: int = 40, ink: str = "black", paper: str = "white") -> tuple[np.ndarray, list[float]]:
    """A drawn line, and where its spaces are (their middles)."""
    font = ImageFont.load_default(size)
    width = font.getlength(text)
    image = Image.new("RGB", (round(width) + size // 2, round(1.1 * size)), paper)
    ImageDraw.Draw(image).text((size // 4, 0), text, ink, font)
    gaps = [
        size // 4 + (font.getlength(text[:i]) + font.getlength(text[: i + 1])) / 2
        for i, character in enumerate(text)
        if character == " "
    ]
    return np.asarray(image), gaps


def middles(words: list[tuple[float, float]]) -> list[float]:
    """Of the gaps."""
    return [(left[1] + right[0]) / 2 for left, right in itertools.pairwise(words)]


TEXTS = ["Hello", "Two words", "Mind the gap", "OPEN 24 HOURS", "Based on daily gold rates"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("ink", "paper"), [("black", "white"), ("#ffe040", "#203060"), ("#808080", "#a0a0a0")])
@pytest.mark.parametrize("how", ["looks", "count", "texts"])
def test_lines_come_apart_at_their_spaces(text, ink, paper, how):
    strip, gaps = line(text, ink=ink, paper=paper)
    known = {"looks": {}, "count": {"count": len(text.split())}, "texts": {"texts": text.split()}}[how]
    words = split_words(strip, **known)
    assert len(words) == len(text.split())
    assert words[0][0] == 0
    assert words[-1][1] == strip.shape[1]
    assert middles(words) == pytest.approx(gaps, abs=6)
    assert all(x0 < x1 for x0, x1 in words)


def test_scale_does_not_matter():
    strip, _ = line("Mind the gap", 96)
    small = np.asarray(Image.fromarray(strip).resize((strip.shape[1] // 4, strip.shape[0] // 4), Image.Resampling.BOX))
    assert np.array(split_words(small)) * 4 == pytest.approx(np.array(split_words(strip)), abs=12)


def test_known_texts_say_where_to_look():
    """Spaced letters: every gap looks alike, only the texts tell which of them are between words."""
    strip, gaps = line("T H E   W I D E   S I G N")
    words = split_words(strip, texts=["THE", "WIDE", "SIGN"])
    assert middles(words) == pytest.approx([gaps[3], gaps[9]], abs=10)


@pytest.mark.parametrize("known", [{}, {"count": 1}, {"count": 0}, {"count": 9}, {"texts": []}, {"texts": ["a"] * 9}])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 7), (32, 20), (40, 300)])
def test_strips_without_text(known, shape):
    for strip in (
        np.full((*shape, 3), 128, np.uint8),
        np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8),
    ):
        words = np.array(split_words(strip, **known))
        assert words[0, 0] == 0
        assert words[-1, 1] == shape[1]
        assert (words[:, 1] > words[:, 0]).all()
        assert (words[1:, 0] >= words[:-1, 1]).all()


def test_a_very_long_strip_costs_no_more_than_a_long_one():
    probability = gap_probability(to_columns(np.zeros((4, 100_000, 3), np.uint8)))
    assert len(probability) == 8192
    assert ((probability >= 0) & (probability <= 1)).all()


def test_words_far_apart_do_not_share_what_is_between():
    near, (gap,) = line("Two words")
    left, right = near[:, : round(gap)], near[:, round(gap) :]
    strip = np.concatenate([left, np.full((near.shape[0], 60, 3), 255, np.uint8), right], axis=1)
    (_, end), (start, _) = split_words(strip)
    assert start - end == pytest.approx(70, abs=8)


@pytest.mark.parametrize("word", ["Welcome", "Illinois", "ALL", "filling", "LA-TA", "10:11", "MINIMUM"])
@pytest.mark.parametrize("size", [20, 44, 90])
def test_a_word_of_a_clean_sign_stays_whole(word: str, size: int) -> None:
    strip, _ = line(word, size, "#f0f0e4", "#183060")
    assert split_words(strip) == [(0, strip.shape[1])]
