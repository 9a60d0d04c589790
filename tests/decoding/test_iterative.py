import numpy as np
from fake_engine import FakeEngine

from wordsight.decoding import reading
from wordsight.decoding.iterative import CORRECTIONS, decode
from wordsight.text import Charset, CharTokenizer


class Spec:
    tokenizer = CharTokenizer(Charset("letters", "abcde"))
    max_length = 5


def spell(texts):
    """Logits (B, P, C + 1); after [E] comes noise that no reading may depend on."""
    rng = np.random.default_rng(len(texts))
    logits = rng.normal(size=(len(texts), Spec.max_length + 1, Spec.tokenizer.num_classes)).astype(np.float32)
    for row, text in zip(logits, texts, strict=True):
        ids = [*Spec.tokenizer.ids(text), Spec.tokenizer.eos][: len(row)]
        row[np.arange(len(ids)), ids] = 9
    return logits


class Corrections(FakeEngine):
    """Row i's reading goes through `stages[i]`, then stays; features say which row it is."""

    def __init__(self, stages):
        self.stages = stages
        self.rows_seen = []

    def image(self, images):
        numbers = images[:, 0, 0, 0].astype(int)
        return spell([self.stages[n][0] for n in numbers]), numbers

    def correct(self, logits, features):
        self.rows_seen.append(len(logits))
        texts = []
        for row, number in zip(logits, features, strict=True):
            stages = self.stages[number]
            now = stages.index(Spec.tokenizer.decode(row.argmax(axis=1).tolist()))
            texts.append(stages[min(now + 1, len(stages) - 1)])
        return spell(texts)


def images(numbers):
    return np.broadcast_to(np.array(numbers, np.float32)[:, None, None, None], (len(numbers), 3, 2, 4))


STAGES = [["a", "b", "c", "d", "e"], ["abc"], ["", "ab"], ["edcba", "edcb", "ed"]]


def read(graphs, images, corrections=CORRECTIONS):
    return [reading(logits, Spec.tokenizer).text for logits in decode(graphs, images, Spec(), corrections)]


def test_rows_leave_when_their_reading_stays():
    graphs = Corrections(STAGES)
    readings = read(graphs, images([0, 1, 2, 3]))
    assert readings == ["d", "abc", "ab", "ed"]  # the first one is cut off after three corrections
    assert graphs.rows_seen == [4, 3, 2]


def test_all_rows_done_ends_it():
    graphs = Corrections(STAGES)
    assert read(graphs, images([1, 1])) == ["abc", "abc"]
    assert graphs.rows_seen == [2]


def test_no_corrections_leave_what_is_seen():
    graphs = Corrections(STAGES)
    assert read(graphs, images([0, 2]), corrections=0) == ["a", ""]
    assert graphs.rows_seen == []


def test_rows_do_not_depend_on_each_other():
    together = decode(Corrections(STAGES), images([3, 0, 1, 2]), Spec())
    for number, logits in zip([3, 0, 1, 2], together, strict=True):
        (alone,) = decode(Corrections(STAGES), images([number]), Spec())
        assert np.array_equal(alone.argmax(axis=1), logits.argmax(axis=1))


def test_a_word_without_end_has_all_positions():
    (logits,) = decode(Corrections([["abcdea"]]), images([0]), Spec())
    assert logits.shape == (6, 6)


def test_nothing_to_read():
    assert decode(Corrections(STAGES), images([0])[:0], Spec()) == []
