import random

import pytest
from rapidfuzz.distance import Levenshtein

from wordsight.errors import ConfigError
from wordsight.text import Dictionary
from wordsight.text.dictionary import NEIGHBOURS

WORDS = ["creative", "beauty's", "house", "housing", "mouse", "horse", "cat", "Oslo"]


def test_case_does_not_matter():
    words = Dictionary(WORDS)
    assert "HOUSE" in words
    assert "oslo" in words
    assert "hous" not in words


@pytest.mark.parametrize(
    ("seen", "near"),
    [
        ("CRENTIVE", ["CREATIVE"]),
        ("Housc", ["House", "Mouse", "Horse"]),
        ("mouso", ["mouse", "house"]),
        ("Beautys", ["Beauty's"]),
        ("cai", ["cat"]),
        ("cub", []),  # two letters of three
        ("xylophone", []),
        ("OSL0", ["OSLO"]),
        ("", []),
        ("a" * 500, []),
    ],
)
def test_what_is_spelled_nearly_so_in_its_case(seen, near):
    assert Dictionary(WORDS).near(seen)[: len(near) or None] == near


def test_no_word_so_near_is_overlooked():
    words = Dictionary.english()
    some = random.Random(5).sample([w for w in words._words if len(w) < 5], 60)
    for word in some:
        wrong = word[:-1] + "q"
        near = [other for other in words._words if Levenshtein.distance(wrong, other) <= 1]
        assert set(words.near(wrong)) <= set(near)
        assert len(words.near(wrong)) == min(NEIGHBOURS, len(near))


def test_english_has_words_names_and_no_rubbish():
    words = Dictionary.english()
    for word in ("coffee", "colour", "color", "Barcelona", "don't", "Restaurants"):
        assert word in words
    for word in ("cofee", "xq", "", "zzq", "5years"):
        assert word not in words


@pytest.mark.parametrize("words", [[], ["", "  ", "x" * 1000]])
def test_without_words_there_is_no_dictionary(words):
    with pytest.raises(ConfigError, match="no words"):
        Dictionary(words)


def test_lists_may_be_odd():
    odd = Dictionary(["", "  straße \n", "x" * 1000, "日本語"])
    assert "STRASSE" not in odd
    assert "Straße" in odd
    assert odd.near("strase") == ["straße"]
    assert "x" * 1000 not in odd


@pytest.mark.parametrize(
    ("seen", "near"), [("café", []), ("cafö", []), ("garçom", ["garçon"]), ("cafe", ["cake", "safe"])]
)
def test_no_diacritic_is_taken_away(seen, near):
    assert sorted(Dictionary(["cake", "safe", "garçon", "garcon"]).near(seen)) == near


def test_other_languages_are_those_of_wordfreq():
    pytest.importorskip("wordfreq")
    words = Dictionary.of("de, fr")
    for word in ("Bäckerei", "boulangerie", "déjà"):
        assert word in words
    assert "colour" in Dictionary.of("de,english")
    with pytest.raises(ConfigError, match="no dictionary 'xx'"):
        Dictionary.of("de,xx")
