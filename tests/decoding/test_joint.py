from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from fake_engine import FakeEngine

from wordsight.decoding import Settings
from wordsight.decoding.ctc import CTC
from wordsight.decoding.ctc_paths import likeliest_texts, probability
from wordsight.decoding.joint import SHARE, SecondReader, Word
from wordsight.decoding.logits_constraint import log_softmax
from wordsight.text import Charset, CharTokenizer, Dictionary

TOKENIZER = CharTokenizer(Charset("abc", "abc "))
SPEC = SimpleNamespace(tokenizer=TOKENIZER, max_length=64)
CLASSES = TOKENIZER.num_classes


@pytest.mark.parametrize("seed", range(5))
def test_the_beam_finds_the_likeliest_texts(seed):
    columns = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), size=5)
    texts = [text for length in range(6) for text in product((1, 2, 3), repeat=length)]
    likely = {text: probability(columns, np.array(text, np.int64), 0) for text in texts}
    best = sorted(likely, key=lambda text: -likely[text])[:3]
    assert likeliest_texts(columns, 0, beam=200)[:3] == best


class Graphs(FakeEngine):
    """Frames of a line, and a decoder that says `texts`, which text by the first column of what it is shown."""

    def __init__(self, columns, texts):
        self.logits = np.log(columns)[None].astype(np.float32)
        self.texts = [TOKENIZER.ids(text) for text in texts]
        self.asked = []

    def image(self, images):
        return self.logits, np.repeat(np.arange(2 * self.logits.shape[1]), 3).reshape(1, -1, 3).astype("f4")

    def memory(self, columns):
        self.asked.append((int(columns[0, 0, 0]), int(columns[0, -1, 0]) + 1))
        return np.full((1, 1, 2, columns.shape[1], 1), len(self.asked) - 1)

    def visual(self, tokens, kv, mask):
        logits = np.full((*tokens.shape, CLASSES), -2.0, np.float32)
        for row, memory in zip(logits, kv, strict=True):
            ids = [*self.texts[int(memory.flat[0])], TOKENIZER.eos]
            for place, one in enumerate(ids[: len(row)]):
                row[place, one] = 2.0
        return logits


def said(text, doubts=(), sure=0.97):
    """Columns (2 T, C + 1) with a blank after each character; `doubts`: {place: (other, share)}."""
    columns = np.full((2 * len(text), CLASSES), (1 - sure) / (CLASSES - 1))
    for place, one in enumerate(text):
        columns[2 * place, TOKENIZER.ids(one)[0]] = columns[2 * place + 1, TOKENIZER.eos] = sure
    for place, (other, share) in dict(doubts).items():
        columns[2 * place, TOKENIZER.ids(text[place])[0]] -= share
        columns[2 * place, TOKENIZER.ids(other)[0]] += share
    return columns


def read(columns, *texts, **options):
    graphs = Graphs(columns, texts)
    (reading,) = CTC.read(graphs, np.zeros((1, 3, 48, 96), np.float32), SPEC, Settings(**options))
    return reading, graphs


def test_the_decoder_decides_between_texts_that_frames_hold_for_as_likely():
    doubtful = said("abcab", {2: ("a", 0.45)})
    assert read(doubtful, "abcab")[0].text == "abcab"
    changed, _ = read(doubtful, "abaab")
    assert changed.text == "abaab"
    assert changed.confidence > 0.6
    assert len(changed.places) == len(changed.chars) == 5


def test_a_text_that_only_the_decoder_reads_needs_frames_that_do_not_speak_against_it():
    assert read(said("abcab", sure=0.9), "cbcab")[0].text == "abcab"


def test_what_frames_are_sure_of_is_not_asked():
    reading, graphs = read(said("abcab", sure=0.9999), "ccc")
    assert (reading.text, graphs.asked) == ("abcab", [])


def test_nor_is_what_they_make_nothing_of():
    reading, graphs = read(said("abcab", sure=0.4), "ccc")
    assert 0 < reading.confidence < 0.01
    assert graphs.asked == []


def test_the_decoder_is_asked_about_texts_that_frames_find_possible():
    columns = said("abcab", {2: ("a", 0.45)})
    rows = []
    graphs = Graphs(columns, ["abcab"])
    answer = graphs.visual
    graphs.visual = lambda tokens, *more: rows.append(len(tokens)) or answer(tokens, *more)
    CTC.read(graphs, np.zeros((1, 3, 48, 96), np.float32), SPEC, Settings(dictionary=Dictionary(["abaab", "bbccb"])))
    assert rows[0] == 2  # of the four likeliest texts and the known ones


def test_every_word_of_a_line_is_read_on_its_own_slice():
    line = said("abc cab", {1: ("a", 0.45), 5: ("b", 0.45)}, sure=0.99)
    reading, graphs = read(line, "aac", "cbb")
    assert reading.text == "aac cbb"
    # Two columns for each frame; the space stands in frames 6 and 7
    assert graphs.asked == [(0, 12), (14, 28)]
    assert [word.text for word in reading.words] == ["aac", "cbb"]


def test_readers_and_dictionary_are_weighed_together():
    columns = said("abcab", sure=0.95)
    known = Dictionary(["abaab"])
    # Neither the decoder nor the dictionary alone outweighs the frames; both together do
    assert read(columns, "abaab")[0].text == "abcab"
    assert read(columns, "abcab", dictionary=known)[0].text == "abcab"
    both = read(columns, "abaab", dictionary=known)[0]
    assert both.text == "abaab"
    assert both.free_confidence is not None


def test_words_longer_than_a_decoder_reads_are_left_to_frames():
    text = "abc" * 15
    reading, graphs = read(said(text, {3: ("b", 0.45)}), "c")
    assert (reading.text, graphs.asked) == (text, [])


def test_the_share_is_one():
    assert 0 < SHARE < 1
    second = SecondReader(Graphs(said("ab"), ["ab"]), np.zeros((600, 3), np.float32), TOKENIZER)
    assert second.word(0.0, 1.0) is None  # longer than a decoder reads
    assert second.word(0.5, 0.5) is None


class NoisyDecoder(FakeEngine):
    """A decoder whose logits are noise that the characters before decide, and which ends sooner or later."""

    def __init__(self, seed, tokenizer):
        self.seed, self.tokenizer, self.passes = seed, tokenizer, 0

    def after(self, text):
        logits = np.random.default_rng([self.seed, *text]).normal(0, 2, self.tokenizer.num_classes)
        logits[self.tokenizer.eos] += len(text)
        return logits

    def visual(self, tokens, kv, mask):
        self.passes += 1
        return np.array([[self.after(row[1 : i + 1]) for i in range(len(row))] for row in tokens.tolist()])


@pytest.mark.parametrize("seed", range(20))
def test_judged_are_all_texts_and_what_the_decoder_reads_step_by_step(seed):
    tokenizer = CharTokenizer(Charset("letters", "abcdef"))
    graphs = NoisyDecoder(seed, tokenizer)

    def likelihood(text):
        return sum(log_softmax(graphs.after(text[:i]))[one] for i, one in enumerate([*text, tokenizer.eos]))

    own = ()
    while (one := int(graphs.after(own).argmax())) != tokenizer.eos:
        own = (*own, one)
    word = Word(graphs, np.zeros((1, 1, 2, 3, 4)), tokenizer)
    for texts in ([(1, 2, 3), (4,)], [own[:-1] or (6,), (1, 2)], [(*own, 1)], [own, (2, 2)]):
        graphs.passes = 0
        judged = word.judge(texts)
        assert set(judged) == {*texts, own}
        assert judged == pytest.approx({text: likelihood(text) for text in judged})
        assert texts[0] != own or graphs.passes == 1  # a right draft takes no other
