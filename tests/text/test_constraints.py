import re

import pytest

from wordsight.errors import ConfigError
from wordsight.text import Charset, CharTokenizer, Constraint

TOKENIZER = CharTokenizer(Charset.preset("94"))


def accepts(constraint, text):
    return constraint.accepts(TOKENIZER.ids(text))


def test_allowed_characters_in_any_number():
    digits = Constraint.allow("0123456789€", TOKENIZER)  # the model cannot write a euro
    assert accepts(digits, "")
    assert accepts(digits, "2024")
    assert not accepts(digits, "20x4")
    with pytest.raises(ConfigError, match="can write none"):
        Constraint.allow("€", TOKENIZER)


@pytest.mark.parametrize("expression", [r"[A-Z]{2}-?\d{2,4}", r"(re|un)do(ne)?", r"\w+@\w+\.com", r"[^a-z]{3}|a.c"])
def test_a_pattern_accepts_what_python_matches(expression):
    constraint = Constraint.pattern(expression, TOKENIZER)
    texts = ["AB123", "AB-12", "AB-12345", "undo", "redone", "done", "me@home.com", "@.com", "ABC", "a7c", "abc!", ""]
    assert [accepts(constraint, t) for t in texts] == [re.fullmatch(expression, t) is not None for t in texts]
    assert any(accepts(constraint, t) for t in texts)


@pytest.mark.parametrize("expression", ["[", "(a", r"(a)\1", "^a$", "é+"])
def test_a_pattern_that_cannot_be_used_is_an_error(expression):
    with pytest.raises(ConfigError, match=re.escape(repr(expression))):
        Constraint.pattern(expression, TOKENIZER)


def test_a_lexicon_accepts_its_words_in_any_case():
    lexicon = Constraint.lexicon(["pharmacy", "Café", "USA", "pharma", ""], TOKENIZER)
    for word in ("pharmacy", "PHARMACY", "Pharmacy", "pharma", "usa", "Cafe"):  # labels of this charset have no accents
        assert accepts(lexicon, word)
    for word in ("", "pharm", "pharmacys", "caf"):
        assert not accepts(lexicon, word)
    with pytest.raises(ConfigError, match="list of words"):
        Constraint.lexicon(["", "  "], TOKENIZER)


def test_what_may_come_next_leaves_room_for_the_rest():
    constraint = Constraint.pattern("ab{3}|ac|a", TOKENIZER)
    a, b, c = TOKENIZER.ids("abc")
    state = constraint.steps[0][a]
    assert constraint.choices(0, 1, TOKENIZER.eos) == [a]
    assert sorted(constraint.choices(state, 3, TOKENIZER.eos)) == sorted([TOKENIZER.eos, b, c])
    assert sorted(constraint.choices(state, 2, TOKENIZER.eos)) == sorted([TOKENIZER.eos, c])  # bbb no longer fits
    assert constraint.choices(state, 0, TOKENIZER.eos) == [TOKENIZER.eos]
