import numpy as np
import pytest
from random_graphs import RandomGraphs

from wordsight.decoding import Settings, Spec, draft_verify, read_psm
from wordsight.decoding.draft_verify import Branch
from wordsight.decoding.readings import Reading
from wordsight.decoding.spelling import LIKELIER, other_texts
from wordsight.text import CharCaptions, Charset, CharTokenizer, Dictionary

TOKENIZER = CharTokenizer(Charset("small", "abcdefghij "))
MAX_LENGTH = 20
SPEC = Spec(TOKENIZER, MAX_LENGTH, CharCaptions(TOKENIZER, MAX_LENGTH))
COUNT = 24


@pytest.fixture(scope="module")
def graphs():
    return RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, end_bias=2.0)


def misspelled(text):
    """A word in which the last letter is another one."""
    return text[:-1] + ("a" if text[-1] != "a" else "b")


@pytest.fixture(scope="module")
def free(graphs):
    return read_psm(graphs, graphs.images(COUNT), SPEC, Settings(mode="visual"))


def likelihoods(graphs, rows, texts):
    branch = Branch(graphs.visual, graphs.image(graphs.images(COUNT)).visual[rows], TOKENIZER)
    return np.exp(draft_verify.likelihood(branch, [TOKENIZER.ids(text) for text in texts]))


def test_a_known_word_counts_as_many_times(graphs, free):
    long = [i for i, one in enumerate(free) if len(one.text) >= 3 and " " not in one.text and len(one.text) < 20]
    words = [misspelled(free[i].text) for i in long]
    found = read_psm(graphs, graphs.images(COUNT), SPEC, Settings(mode="visual", dictionary=Dictionary(words)))
    changed = kept = 0
    for i, word in zip(long, words, strict=True):
        if found[i].text == free[i].text:
            kept += 1
            assert found[i] == free[i]
            mine, other = likelihoods(graphs, [i, i], [free[i].text, word])
            assert mine >= LIKELIER * other * 0.999 or free[i].text in words
        elif found[i].text == word:
            changed += 1
            assert found[i].free_confidence == free[i].confidence
            assert 0 < found[i].confidence <= 1
            assert "".join(char.text for char in found[i].chars) == word
            product = np.prod([char.probability for char in found[i].chars])
            assert found[i].confidence <= product * 1.001
            assert all(0 <= p <= 1 for char in found[i].chars for _, p in char.alternatives)
    assert changed, "or nothing was tested"


def test_what_is_known_or_has_no_neighbours_stays(graphs, free):
    images = graphs.images(COUNT)
    known = Dictionary(word for one in free for word in one.text.split())
    assert read_psm(graphs, images, SPEC, Settings(mode="visual", dictionary=known)) == free
    assert read_psm(graphs, images, SPEC, Settings(mode="visual", dictionary=Dictionary(["zzzzzzzz"]))) == free


def test_words_that_cannot_be_written_are_left_out(graphs, free):
    words = Dictionary(one.text[:-1] + "ß" for one in free if len(one.text) >= 3)
    assert read_psm(graphs, graphs.images(COUNT), SPEC, Settings(mode="visual", dictionary=words)) == free


def test_a_row_does_not_depend_on_the_others(graphs, free):
    words = Dictionary(misspelled(one.text) for one in free if len(one.text) >= 3)
    images = graphs.images(COUNT)
    together = read_psm(graphs, images, SPEC, Settings(dictionary=words))
    for i in range(COUNT):
        alone = read_psm(graphs, images[i : i + 1], SPEC, Settings(dictionary=words))
        assert alone[0].text == together[i].text
        assert alone[0].confidence == pytest.approx(together[i].confidence, rel=1e-4)


def test_nothing_to_read(graphs):
    assert read_psm(graphs, graphs.images(0), SPEC, Settings(dictionary=Dictionary(["abc"]))) == []


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("sal@nova-Ilc.org", ["sal@nova-llc.org"]),
        ("https://oaken-hiII.de", ["https://oaken-hill.de"]),
        ("www.Sunny.com", ["www.sunny.com"]),
        ("www.Rainy.com", []),  # no letter looks like R
        ("sal@nova.org", []),
        ("nova-Ilc.org", []),  # no address, as far as one can see
        ("3 @ 5 I", []),
    ],
)
def test_an_address_may_be_in_small_letters(text, small):
    nothing_known = Dictionary(["zzzzzzzz"])
    assert list(other_texts(Reading(text, 0.5), nothing_known)) == small
    assert list(other_texts(Reading(text, 0.99), nothing_known)) == []
