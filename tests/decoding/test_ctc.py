from itertools import groupby, product
from types import SimpleNamespace

import numpy as np
import pytest
from fake_engine import FakeEngine

from wordsight.decoding import Settings
from wordsight.decoding.ctc import CTC
from wordsight.decoding.ctc_paths import probability
from wordsight.text import Charset, CharTokenizer

TOKENIZER = CharTokenizer(Charset("abc", "abc"))
SPEC = SimpleNamespace(tokenizer=TOKENIZER, max_length=8)


def columns(spelled, sure=0.7):
    """Logits (1, T, 4) of columns that say the characters of `spelled`, "-" being the blank."""
    found = np.full((len(spelled), 4), (1 - sure) / 3)
    found[np.arange(len(spelled)), ["-abc".index(c) for c in spelled]] = sure
    return np.log(found[None]).astype(np.float32)


class Says(FakeEngine):
    def __init__(self, logits):
        self.logits = logits

    def image(self, images):
        return self.logits[: len(images)]


def read(logits, spec=SPEC, **options):
    return CTC.read(Says(logits), np.zeros(len(logits)), spec, Settings(**options))


@pytest.mark.parametrize(
    ("spelled", "text"),
    [("abc", "abc"), ("-a--b-", "ab"), ("aabb", "ab"), ("a-a", "aa"), ("aa-ab", "aab"), ("---", ""), ("c", "c")],
)
def test_repeats_collapse_and_blanks_go(spelled, text):
    [found] = read(columns(spelled, sure=0.99))
    assert found.text == text
    assert "".join(c.text for c in found.chars) == text


def test_confidence_is_the_probability_of_the_text_over_all_paths():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 5, 4)).astype(np.float32) * 2
    weights = np.exp(logits.astype(np.float64))
    weights /= weights.sum(axis=2, keepdims=True)
    for found, p in zip(read(logits), weights, strict=True):
        total = 0.0
        for path in product(range(4), repeat=5):
            if "".join("-abc"[k] for k, _ in groupby(path)).replace("-", "") == found.text:
                total += np.prod([p[t, k] for t, k in enumerate(path)])
        assert found.confidence == pytest.approx(total, rel=1e-9)


def test_probabilities_of_all_texts_add_up_to_one():
    p = np.full((3, 3), 1 / 3)
    texts = [t for n in range(4) for t in product((1, 2), repeat=n)]
    assert sum(probability(p, np.array(t, np.int64), 0) for t in texts) == pytest.approx(1)
    assert probability(p, np.array([1, 1]), 0) == pytest.approx(1 / 27)  # only a-a
    assert probability(p, np.array([1, 1, 1]), 0) == 0  # needs five columns


def test_a_character_is_as_probable_as_its_surest_column():
    p = np.array([[0.02, 0.5, 0.3, 0.18], [0.05, 0.6, 0.02, 0.33], [0.9, 0.05, 0.03, 0.02]])
    [found] = read(np.log(p[None]).astype(np.float32))
    assert found.text == "a"
    assert found.chars[0].probability == pytest.approx(0.6, rel=1e-5)
    assert [c for c, _ in found.chars[0].alternatives] == ["c", "", "b"]
    assert found.confidence > 0.5 * 0.6 * 0.9  # the best path is one of several


def test_temperature_changes_probabilities_and_not_the_text():
    sure = columns("ab-", sure=0.99)
    [sharp], [soft] = read(sure), read(sure, temperature=3.0)
    assert sharp.text == soft.text == "ab"
    assert soft.chars == sharp.chars
    odds = sharp.confidence / (1 - sharp.confidence)
    assert soft.confidence / (1 - soft.confidence) == pytest.approx(odds ** (1 / 3))
    assert soft.clarity == sharp.clarity == sharp.confidence  # which way up text is does not depend on it


def test_what_is_too_long_is_cut():
    [found] = read(columns("abcabc"), SimpleNamespace(tokenizer=TOKENIZER, max_length=4))
    assert found.text == "abca"
    assert len(found.chars) == 4


def test_rows_do_not_depend_on_each_other():
    logits = np.random.default_rng(1).normal(size=(5, 12, 4)).astype(np.float32)
    assert read(logits) == [read(logits[i : i + 1])[0] for i in range(5)]
    assert read(logits[:0]) == []
