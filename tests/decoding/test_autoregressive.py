import numpy as np
import pytest
from fake_engine import FakeEngine

from wordsight.decoding import reading
from wordsight.decoding.autoregressive import decode
from wordsight.text import Charset, CharTokenizer


class Spec:
    tokenizer = CharTokenizer(Charset("letters", "abcde"))
    max_length = 6


class Spelling(FakeEngine):
    """Image i is a number, and says word i; the state counts the steps, what was written last is checked."""

    def __init__(self, words):
        self.words = words
        self.rows_seen = []
        self.ids = Spec.tokenizer

    def image(self, images):
        return images[:, 0, 0, :1], np.zeros((len(images), 1), np.float32)

    def step(self, tokens, state, memory):
        self.rows_seen.append(len(tokens))
        assert len(tokens) == len(state) == len(memory)
        logits = np.zeros((len(tokens), self.ids.num_classes), np.float32)
        for row, token, step, number in zip(logits, tokens, state[:, 0].astype(int), memory[:, 0], strict=True):
            ids = [self.ids.bos, *self.ids.ids(self.words[int(number)]), self.ids.eos]
            assert token == ids[step]
            row[ids[step + 1]] = 5
        return logits, state + 1


def images(numbers):
    return np.broadcast_to(np.array(numbers, np.float32)[:, None, None, None], (len(numbers), 3, 2, 4))


WORDS = ["abc", "", "eeeee", "d"]


def read(graphs, images):
    return [reading(logits, Spec.tokenizer) for logits in decode(graphs, images, Spec())]


def test_rows_stop_at_their_end_and_leave():
    graphs = Spelling(WORDS)
    readings = read(graphs, images([0, 1, 2, 3]))
    assert [r.text for r in readings] == WORDS
    assert graphs.rows_seen == [4, 3, 2, 2, 1, 1]
    sure = np.exp(5) / (np.exp(5) + 5)
    assert [r.confidence for r in readings] == pytest.approx([sure ** (len(w) + 1) for w in WORDS])


def test_a_word_that_does_not_end_is_cut():
    graphs = Spelling(["abcdeabcdeabcde"])
    (found,) = read(graphs, images([0]))
    assert found.text == "abcdeab"  # [E] had its position too, and a character stands there
    assert len(graphs.rows_seen) == Spec.max_length + 1


def test_nothing_to_read():
    assert decode(Spelling([]), images([0])[:0], Spec()) == []


class RandomCell(FakeEngine):
    """A recurrent cell of random matrices."""

    def __init__(self, seed=0, width=16):
        rng = np.random.default_rng(seed)
        ids = Spec.tokenizer
        self.features = rng.normal(size=(24, width)) / 4
        self.embedding = rng.normal(size=(ids.vocab_size, width))
        self.hidden = rng.normal(size=(width, width)) / 3
        self.head = rng.normal(size=(width, ids.num_classes))
        self.end = 2.0 * (np.arange(ids.num_classes) == ids.eos)

    def image(self, images):
        memory = np.einsum("bi,iw->bw", images.reshape(len(images), -1), self.features)
        return memory, np.zeros_like(memory)

    def step(self, tokens, state, memory):
        state = np.tanh(memory + self.embedding[tokens] + np.einsum("bw,wv->bv", state, self.hidden))
        return (np.einsum("bw,wc->bc", state, self.head) + self.end).astype(np.float32), state


def test_a_row_is_read_alone_as_in_a_batch():
    batch = np.random.default_rng(3).normal(size=(20, 3, 2, 4)).astype(np.float32)
    together = decode(RandomCell(), batch, Spec())
    assert len({len(x) for x in together}) > 2
    for i, logits in enumerate(together):
        np.testing.assert_allclose(decode(RandomCell(), batch[i : i + 1], Spec())[0], logits, rtol=1e-5)
    order = np.random.default_rng(4).permutation(20)
    for i, logits in zip(order, decode(RandomCell(), batch[order], Spec()), strict=True):
        np.testing.assert_allclose(together[i], logits, rtol=1e-5)
