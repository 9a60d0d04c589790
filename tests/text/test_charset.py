"""Charsets: the presets, what they refuse, and how labels are brought into them."""

import hashlib
import string
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.errors import ConfigError
from wordsight.text import PRESETS, Charset


@pytest.mark.parametrize(("name", "size"), [("36", 36), ("62", 62), ("94", 94), ("94+space", 95), ("latin", 157)])
def test_presets_have_the_size_of_their_name(name: str, size: int) -> None:
    charset = Charset.preset(name)
    assert len(charset) == size == len(set(charset.characters))
    assert charset.name == name


def test_every_preset_begins_with_the_smaller_ones() -> None:
    """So that the head of a model keeps its rows when its charset grows."""
    sizes = list(PRESETS.values())
    assert all(larger.startswith(smaller) for smaller, larger in pairwise(sizes))
    assert set(PRESETS["94"]) == set(string.printable.strip())


def test_latin_is_ascii_and_the_letters_of_latin_1() -> None:
    beyond = [c for c in PRESETS["latin"] if not c.isascii()]
    assert all(unicodedata.category(c) in ("Lu", "Ll") and ord(c) < 0x100 for c in beyond)
    assert {"ß", "Æ", "ø", "ÿ", "Ü"} <= set(beyond)
    assert not {"×", "÷"} & set(beyond)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'95'.*36, 62, 94, 94\+space, latin"):
        Charset.preset("95")


@pytest.mark.parametrize(
    ("characters", "reason"),
    [("", "empty"), ("abca", "repeats 'a'"), ("e\u0301x", "normal form C"), ("\u212b", "normal form C")],
)
def test_a_bad_charset_is_refused_with_its_name(characters: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"charset 'mine'.*{reason}"):
        Charset("mine", characters)


def test_any_unicode_list_is_a_charset() -> None:
    charset = Charset("greek", "αβγ 漢字😀")
    assert len(charset) == 7
    assert "漢" in charset
    assert "a" not in charset
    assert charset.unknown("αxβy") == {"x", "y"}


def test_the_hash_depends_on_characters_and_order_but_not_on_the_name() -> None:
    assert Charset("a", "xyz").hash == Charset("b", "xyz").hash == hashlib.sha256(b"xyz").hexdigest()
    assert Charset("a", "xyz").hash != Charset("a", "xzy").hash


@pytest.mark.parametrize(
    ("label", "wanted"),
    [("Caf\u00e9 42", "Cafe42"), ("\u00bd", "12"), ("\uff21\uff22", "AB"), ("a\t b\n", "ab"), ("漢", "")],
)
@pytest.mark.parametrize("preset", ["36", "62", "94"])
def test_ascii_charsets_without_space_follow_the_field(preset: str, label: str, wanted: str) -> None:
    """White space goes, then NFKD, then what is not ASCII. (One half is 1, U+2044, 2 in NFKD.)"""
    charset = Charset.preset(preset)
    assert charset.strips_space
    assert charset.normalize(label) == wanted


@pytest.mark.parametrize(
    ("label", "wanted"),
    [("Cafe\u0301  42", "Caf\u00e9 42"), (" a\t b\n", "a b"), ("\u00bd", "\u00bd"), ("漢", "漢"), ("   ", "")],
)
@pytest.mark.parametrize("preset", ["94+space", "latin"])
def test_other_charsets_keep_words_apart_and_accents_on(preset: str, label: str, wanted: str) -> None:
    charset = Charset.preset(preset)
    assert not charset.strips_space
    assert charset.normalize(label) == wanted


def test_a_charset_beyond_ascii_keeps_accents_even_without_space() -> None:
    assert Charset("accents", "aé").normalize("e\u0301") == "é"


@given(st.sampled_from(list(PRESETS)), st.text(max_size=20))
def test_normalizing_twice_changes_nothing(preset: str, label: str) -> None:
    charset = Charset.preset(preset)
    once = charset.normalize(label)
    if charset.strips_space:
        # A spacing accent (U+00B4) holds a space in NFKD, which comes after white space went: so it is in the field.
        assert charset.normalize(once) == once.replace(" ", "")
        assert once.isascii()
    else:
        assert charset.normalize(once) == once


@pytest.mark.parametrize(
    ("preset", "text", "wanted"),
    [
        ("36", "Ab-1 c", "ab1c"),
        ("62", "Ab-1 c", "Ab1c"),
        ("94", "Ab-1 c", "Ab-1c"),
        ("94+space", "Ab-1 c", "Ab-1 c"),
        ("94+space", "Übel", "bel"),
        ("latin", "Übel", "Übel"),
    ],
)
def test_texts_are_compared_as_far_as_a_charset_can_express_them(preset: str, text: str, wanted: str) -> None:
    assert Charset.preset(preset).adapt(text) == wanted


def test_a_charset_of_capitals_compares_in_capitals() -> None:
    assert Charset("plates", string.ascii_uppercase + string.digits).adapt("ab-12 x") == "AB12X"
