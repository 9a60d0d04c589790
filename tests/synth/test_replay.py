"""Rendered words in a user's charset."""

import string
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wordsight.synth.fonts import Face, covering, font_index
from wordsight.synth.replay import ReplayWords
from wordsight.text import PRESETS, Charset

SIGN = "±"  # what even Pillow's own font draws
MORE = Charset("94+space+1", PRESETS["94+space"] + SIGN)


@pytest.fixture(scope="module")
def faces(few_fonts: Path) -> tuple[Face, ...]:
    return font_index([few_fonts])


def test_a_face_says_which_further_characters_it_draws(faces: tuple[Face, ...]) -> None:
    own = next(face for face in faces if face.path.endswith("own.ttf"))
    own = replace(own, characters=string.ascii_letters + string.digits)
    (told,) = covering([own], "±€\u0378")
    assert {*"5±"} <= {*told.characters}
    assert "€" not in told.characters  # Pillow's own font has none
    assert "\u0378" not in told.characters  # a code point without a character
    assert list(covering([told], "±")) == [told]


def test_words_are_in_the_charset_and_like_the_labels(few_fonts: Path) -> None:
    source = ReplayWords(MORE, SIGN, [f"{SIGN} 12.50", "MENU"], 12, fonts=[few_fonts])
    texts = [source.text(i) for i in range(600)]
    again = ReplayWords(MORE, SIGN, [f"{SIGN} 12.50", "MENU"], 12, fonts=[few_fonts])
    assert texts == [again.text(i) for i in range(600)]
    assert all(set(text) <= set(MORE.characters) and len(text) <= 12 for text in texts)
    prices = {text for text in texts if text.startswith(f"{SIGN} ") and len(text) == 7}
    assert len(prices) > 100  # a quarter of the words, hardly two alike
    assert all(text[4] == "." for text in prices)
    assert 40 < texts.count("MENU") < 110
    others = [text for text in texts if SIGN in text and text not in prices]
    assert len(others) > 30  # general words with the new character in them
    assert len({text.index(SIGN) for text in others}) > 4
    assert source.undrawable == ""


def test_characters_without_a_face_are_never_drawn(few_fonts: Path) -> None:
    charset = Charset("odd", "abc\U000e0ffe")
    source = ReplayWords(charset, "\U000e0ffe", ["a\U000e0ffe"], fonts=[few_fonts])
    assert source.undrawable == "\U000e0ffe"
    assert set("".join(source.text(i) for i in range(200))) == set("abc")


def test_the_new_character_is_seen(few_fonts: Path) -> None:
    source = ReplayWords(MORE, SIGN, [SIGN], fonts=[few_fonts])
    number = next(i for i in range(100) if source.text(i) == SIGN)
    crop = source[number]
    assert crop.text == SIGN
    assert crop.image.dtype == np.uint8
    assert float(crop.image.std()) > 3


def test_a_small_charset_is_kept_to(few_fonts: Path) -> None:
    charset = Charset("few", "12abcA")
    source = ReplayWords(charset, labels=["Ab1"], fonts=[few_fonts])
    texts = [source.text(i) for i in range(200)]
    assert set("".join(texts)) == set(charset.characters)
    assert {len(text) for text in texts} >= {0, 3}


def test_fonts_are_not_searched_again_for_latin_letters(few_fonts: Path) -> None:
    """Which of them a face draws is in the cached index; inspecting every face takes minutes on a busy machine."""
    watched: list[int] = []

    def watch(faces: Sequence[Face]) -> Iterable[Face]:
        watched.append(len(faces))
        return faces

    ReplayWords(Charset("accents", string.ascii_letters + "éß€"), fonts=few_fonts, watch=watch)
    assert not watched
    ReplayWords(Charset("greek", string.ascii_letters + "éΔ"), fonts=few_fonts, watch=watch)
    assert len(watched) == 1
