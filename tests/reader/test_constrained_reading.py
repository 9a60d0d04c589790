"""The shipped model, told what words may be."""

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from wordsight import Reader
from wordsight.errors import ConfigError
from wordsight.results import Word


def crop(text: str) -> Image.Image:
    image = Image.new("RGB", (30 + 26 * len(text), 64), (24, 48, 96))
    ImageDraw.Draw(image).text((14, 8), text, font=ImageFont.load_default(40), fill=(240, 240, 228))
    return image.filter(ImageFilter.GaussianBlur(1))


def read(text: str, **constraint: object) -> Word:
    return Reader(threads=1, **constraint).read_crops([crop(text)])[0]  # type: ignore[arg-type]


def test_a_pattern_is_followed() -> None:
    assert read("BO51 SMR", pattern=r"[A-Z]{2}\d{2} [A-Z]{3}").text == "BO51 SMR"
    assert read("HELLO", pattern=r"\d{3,6}").text.isdigit()


def test_only_allowed_characters_are_written() -> None:
    word = read("1O0", allow="0123456789")
    assert word.text == "100"
    assert not word.outside


def test_a_lexicon_corrects_and_says_what_is_not_in_it() -> None:
    words = ["coffee", "bakery", "hotel", "pharmacy", "station"]
    one = read("COFFEE", lexicon=words)
    assert (one.text, one.outside) == ("COFFEE", False)
    other = read("Garden 27", lexicon=words)
    assert other.outside
    assert other.text.lower() in words
    assert other.confidence < 0.01
    assert other.to_dict()["outside"] is True
    assert Word.from_dict(other.to_dict()).outside
    assert "outside" not in one.to_dict()


def test_detected_words_that_say_something_else_are_left_out() -> None:
    image = Image.new("RGB", (640, 260), (96, 110, 96))
    for text, y in (("Total", 30), ("1729", 140)):
        image.paste(crop(text).resize((len(text) * 50, 90)), (60, y))
    assert [word.text for word in Reader(threads=1).read(image).words] == ["Total", "1729"]
    assert [word.text for word in Reader(threads=1, pattern=r"\d{4}").read(image).words] == ["1729"]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        Reader(allow="abc", pattern="a+")
    with pytest.raises(ConfigError, match=r"pattern '\(' cannot be used: missing \), unterminated subpattern"):
        Reader(pattern="(")
