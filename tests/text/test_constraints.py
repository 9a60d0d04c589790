import random
import re
import string
import time

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


def some_pattern(rng, depth=3):
    """A pattern over a, b and c in the syntax that `re` has, too."""
    kinds = ["a", "b", "[ab]", "[^a]", "."]
    if depth == 0:
        return rng.choice(kinds)
    parts = [some_pattern(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    kind = rng.choice(["then", "either", "*", "+", "?", "{}", "ahead", "not ahead"])
    if kind == "either":
        return f"({'|'.join(parts)})"
    if kind == "{}":
        return f"(?:{parts[0]}){{{rng.randint(0, 2)},{rng.randint(2, 3)}}}"
    if kind in ("ahead", "not ahead") and depth == 3:
        return f"(?{'=' if kind == 'ahead' else '!'}{parts[0]}){''.join(parts[1:]) or '.*'}"
    return "".join(parts) if kind in ("then", "ahead", "not ahead") else f"({''.join(parts)}){kind}"


def test_patterns_mean_what_python_means_by_them():
    """Every text of up to five letters, for three hundred patterns."""
    texts = [""]
    for text in texts:
        if len(text) < 5:
            texts += [text + c for c in "abc"]
    rng, used = random.Random(0), 0
    for _ in range(300):
        expression = some_pattern(rng)
        wanted = [re.fullmatch(expression, text) is not None for text in texts]
        try:
            constraint = Constraint.pattern(expression, TOKENIZER)
        except ConfigError as error:
            if "allows nothing" in str(error) and any(wanted):
                raise
            continue
        assert [accepts(constraint, text) for text in texts] == wanted, expression
        used += 1
    assert used > 250


@pytest.mark.parametrize(
    "expression",
    [
        *(".*a.{16}", "(a{100}){101}", "a{99999}", "(((a?){30}){30}){30}", "a?" * 3000, "(" * 3000, "[a" * 3000),
        # Few states, each of very many alternatives
        "((a{0,99}){0,99}){0,99}",
        "".join(f"(?=.*{c})" for c in string.ascii_lowercase) + ".*",
        "|".join(f".*{c}.{{8}}" for c in string.ascii_letters),
        "(a|aa|aaa|aaaa){0,3000}",
    ],
)
def test_a_pattern_that_asks_for_too_much_is_refused_at_once(expression):
    began = time.process_time()
    with pytest.raises(ConfigError) as error:
        Constraint.pattern(expression, TOKENIZER)
    assert time.process_time() - began < 5  # hundredths of a second on an idle machine; determinizing took minutes
    assert len(str(error.value)) < 250


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


def test_a_long_list_of_words_is_read_as_a_short_one():
    rng = random.Random(0)
    words = {"".join(rng.choices("abcdefgh", k=rng.randint(1, 9))) for _ in range(100_000)}
    began = time.process_time()
    lexicon = Constraint.lexicon(words, TOKENIZER)
    assert time.process_time() - began < 8  # one on an idle machine
    assert len(lexicon.steps) > 100_000
    for word in rng.sample(sorted(words), 500):
        assert accepts(lexicon, word)
        assert accepts(lexicon, word.title())
        for other in (word[:-1], word + "a", word[::-1]):
            assert accepts(lexicon, other) == (other in words)
    shortest = {}  # of the words that begin so, what is left
    for word in words:
        if word.startswith("abc"):
            shortest["abc"] = min(shortest.get("abc", 99), len(word) - 3)
    state = 0
    for i in TOKENIZER.ids("abc"):
        state = lexicon.steps[state][i]
    assert lexicon.left[state] == shortest["abc"]
    assert lexicon.left[0] == 1


def test_words_that_nobody_can_write_cost_nothing():
    lexicon = Constraint.lexicon(["x" * 1_000_000, "fine"], TOKENIZER)
    assert accepts(lexicon, "FINE")
    assert len(lexicon.steps) == 5


def test_what_may_come_next_leaves_room_for_the_rest():
    constraint = Constraint.pattern("ab{3}|ac|a", TOKENIZER)
    a, b, c = TOKENIZER.ids("abc")
    state = constraint.steps[0][a]
    assert constraint.choices(0, 1, TOKENIZER.eos) == [a]
    assert sorted(constraint.choices(state, 3, TOKENIZER.eos)) == sorted([TOKENIZER.eos, b, c])
    assert sorted(constraint.choices(state, 2, TOKENIZER.eos)) == sorted([TOKENIZER.eos, c])  # bbb no longer fits
    assert constraint.choices(state, 0, TOKENIZER.eos) == [TOKENIZER.eos]
