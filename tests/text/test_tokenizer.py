"""Token ids: numbered as in PARSeq, and there and back again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.text import PRESETS, Charset, CharTokenizer


@pytest.mark.parametrize("preset", PRESETS)
def test_ids_are_numbered_as_in_parseq(preset: str) -> None:
    """[E] is 0, the characters follow, [B] and [P] come last and have no class in the head."""
    charset = Charset.preset(preset)
    tokenizer = CharTokenizer(charset)
    size = len(charset)
    assert tokenizer.ids(charset.characters) == list(range(1, size + 1))
    assert (tokenizer.eos, tokenizer.bos, tokenizer.pad) == (0, size + 1, size + 2)
    assert (tokenizer.num_classes, tokenizer.vocab_size) == (size + 1, size + 3)


def test_the_94_characters_of_the_field_have_their_known_ids() -> None:
    """PARSeq's own numbers: 97 tokens, digits from 1, a from 11, A from 37, punctuation from 63."""
    tokenizer = CharTokenizer(Charset.preset("94"))
    assert tokenizer.ids("0aA!") == [1, 11, 37, 63]
    assert (tokenizer.bos, tokenizer.pad, tokenizer.vocab_size) == (95, 96, 97)


def test_a_batch_is_padded_to_its_longest_label() -> None:
    rows = CharTokenizer(Charset("abc", "abc")).encode(["ab", "", "cabc"])
    assert rows.dtype == np.int64
    assert rows.tolist() == [[4, 1, 2, 0, 5, 5], [4, 0, 5, 5, 5, 5], [4, 3, 1, 2, 3, 0]]


def test_an_empty_batch_has_room_for_begin_and_end() -> None:
    assert CharTokenizer(Charset("abc", "abc")).encode([]).shape == (0, 2)


def test_decoding_stops_at_the_end_and_passes_over_begin_and_padding() -> None:
    tokenizer = CharTokenizer(Charset("abc", "abc"))
    assert tokenizer.decode([4, 1, 5, 2, 0, 3]) == "ab"
    assert tokenizer.decode([1, 2, 3]) == "abc"
    assert tokenizer.decode(np.array([0, 1, 2])) == ""
    assert tokenizer.decode([]) == ""


@given(st.lists(st.text(alphabet=PRESETS["latin"], max_size=40), max_size=5))
def test_every_label_comes_back(labels: list[str]) -> None:
    tokenizer = CharTokenizer(Charset.preset("latin"))
    assert [tokenizer.decode(row) for row in tokenizer.encode(labels)] == labels


@pytest.mark.parametrize("label", ["aé", "a b", "漢"])
def test_a_character_outside_the_charset_is_an_error(label: str) -> None:
    tokenizer = CharTokenizer(Charset.preset("94"))
    with pytest.raises(ValueError, match="substring not found"):
        tokenizer.ids(label)
    with pytest.raises(ValueError, match="substring not found"):
        tokenizer.encode(["fine", label])
