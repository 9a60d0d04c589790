import numpy as np
import pytest

from wordsight.decoding import masks, reading
from wordsight.text import Charset, CharTokenizer

TOKENIZER = CharTokenizer(Charset("abc", "abc"))


def logits(*rows):
    """Rows of probabilities of [E], a, b, c."""
    return np.log(np.array(rows, np.float32))


def test_text_probabilities_and_alternatives():
    found = reading(
        logits([0.1, 0.6, 0.25, 0.05], [0.15, 0.05, 0.1, 0.7], [0.8, 0.1, 0.05, 0.05], [0.1, 0.1, 0.7, 0.1]),
        TOKENIZER,
    )
    assert found.text == "ac"
    assert found.confidence == pytest.approx(0.6 * 0.7 * 0.8, rel=1e-5)
    assert [c.text for c in found.chars] == ["a", "c"]
    assert found.chars[0].probability == pytest.approx(0.6, rel=1e-5)
    assert [a for a, _ in found.chars[0].alternatives] == ["b", "", "c"]
    assert found.chars[1].alternatives[0] == ("", pytest.approx(0.15, rel=1e-5))


def test_empty_word_is_as_sure_as_its_end():
    found = reading(logits([0.9, 0.05, 0.03, 0.02]), TOKENIZER)
    assert (found.text, found.chars) == ("", ())
    assert found.confidence == pytest.approx(0.9, rel=1e-5)


def test_a_word_without_end_keeps_all_characters():
    found = reading(logits([0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1]), TOKENIZER)
    assert found.text == "ab"
    assert found.confidence == pytest.approx(0.49, rel=1e-5)


def test_temperature_lowers_confidence_and_keeps_the_text():
    x = logits([0.1, 0.7, 0.1, 0.1], [0.8, 0.1, 0.05, 0.05])
    sharp, soft = reading(x, TOKENIZER), reading(x, TOKENIZER, temperature=2.0)
    assert sharp.text == soft.text == "a"
    weights = np.sqrt([0.1, 0.7, 0.1, 0.1])
    assert soft.chars[0].probability == pytest.approx(weights[1] / weights.sum(), rel=1e-5)
    assert soft.confidence < sharp.confidence


def test_masks():
    hidden = masks.HIDDEN
    assert (masks.first_only(2, 3)[1] == [[0, hidden, hidden]] * 3).all()
    assert (masks.causal(2, 3)[1] == [[0, hidden, hidden], [0, 0, hidden], [0, 0, 0]]).all()
    cloze = masks.cloze(np.array([1, 2]), 4)
    assert (cloze[0] == [[0, hidden, hidden, hidden]] + [[0, 0, hidden, hidden]] * 3).all()
    assert (cloze[1, 0] == [0, hidden, 0, hidden]).all()
    assert (cloze[1, 1] == [0, 0, hidden, hidden]).all()
    assert (cloze[1, 2] == [0, 0, 0, hidden]).all()
    assert (masks.padding(np.array([1, 3]), 3) == [[0, hidden, hidden], [0, 0, 0]]).all()
    assert {m.dtype for m in (cloze, masks.causal(1, 2), masks.padding(np.array([1]), 2))} == {np.dtype(np.float32)}
