"""The shipped model, told which words are likelier."""

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from wordsight import Reader
from wordsight.errors import ConfigError


def crop(text: str, blur: float = 1.0) -> Image.Image:
    image = Image.new("RGB", (30 + 26 * len(text), 64), (24, 48, 96))
    ImageDraw.Draw(image).text((14, 8), text, font=ImageFont.load_default(40), fill=(240, 240, 228))
    return image.filter(ImageFilter.GaussianBlur(blur))


def test_a_doubtful_word_is_read_as_a_known_one() -> None:
    """Blurred until it is doubtful; then a list with another word beside it decides."""
    plain, told = (Reader(threads=1, dictionary=words) for words in (None, "english"))
    words = ["restaurant", "pharmacy", "Garden", "COFFEE", "Bakery", "station", "market", "theatre", "museum"]
    blurred = [crop(word, blur) for word in words for blur in (4.0, 5.0, 6.0)]
    labels = [word.lower() for word in words for _ in range(3)]
    without, with_it = (
        [word.text.lower() == label for word, label in zip(reader.read_crops(blurred), labels, strict=True)]
        for reader in (plain, told)
    )
    assert sum(with_it) > sum(without)
    assert all(now or not before for before, now in zip(without, with_it, strict=True))


def test_clear_letters_are_read_as_they_are() -> None:
    odd = ["Xylophonx", "coffeo", "B4K3RY", "qzvtk", "1729", "Reztaurant", "a@b.org"]
    found = Reader(threads=1).read_crops([crop(text, 0.5) for text in odd])
    assert [word.text for word in found] == odd


def test_a_list_of_ones_own() -> None:
    names = ["Zorbiq", "Quvexa", "Blentor", "Mirvado", "Kestrina", "Voltaku"]
    blurred = [crop(name, blur) for name in names for blur in (5.0, 6.5)]
    right = {}
    for words in (None, tuple(names)):
        read = Reader(threads=1, dictionary=words).read_crops(blurred)
        right[words] = sum(
            word.text == name for word, name in zip(read, [n for n in names for _ in range(2)], strict=True)
        )
    assert right[tuple(names)] > right[None]


def test_a_dictionary_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="there is no dictionary 'klingon'"):
        Reader(dictionary="klingon")
    with pytest.raises(ConfigError, match="no words"):
        Reader(dictionary=["", " "])
