"""Many looks go through a recognizer in lanes, some at the same time, and are read as they are alone."""

import threading

import numpy as np
import pytest
from word_cards import CardReader, card

from wordsight import Reader
from wordsight.errors import ModelError
from wordsight.runtime import OnnxRecognizer, find_model, load_pack
from wordsight.synth.lines import RenderedLines

TEXTS = [f"w{i}" for i in range(12)]


class TwoLanes(CardReader):
    """Two batches must be in it at the same time before it reads either of the first two."""

    lanes = 2

    def __init__(self) -> None:
        super().__init__(TEXTS)
        self.meeting = threading.Barrier(2, timeout=30)
        self.met = threading.local()
        self.names: set[str] = set()

    def lane(self) -> "TwoLanes":
        return self

    def read(self, images):
        self.names.add(threading.current_thread().name)
        if threading.current_thread() is not threading.main_thread() and not hasattr(self.met, "once"):
            self.met.once = True
            self.meeting.wait()
        return super().read(images)


def test_many_are_read_at_the_same_time_and_keep_their_order():
    recognizer = TwoLanes()
    wanted = [TEXTS[i % len(TEXTS)] for i in range(31)]
    words = Reader.of(recognizer).read_crops([card(recognizer, text, 120, 30) for text in wanted])
    assert [word.text for word in words] == wanted
    assert len(recognizer.names) == 2
    assert threading.main_thread().name not in recognizer.names
    assert max(recognizer.batches) <= 4


def test_few_are_not_worth_it():
    recognizer = TwoLanes()
    Reader.of(recognizer).read_crops([card(recognizer, text, 120, 30) for text in TEXTS])
    assert recognizer.names == {threading.main_thread().name}


def test_an_error_in_a_lane_is_everybodys():
    class Broken(TwoLanes):
        def read(self, images):
            raise ModelError("no numbers")

    with pytest.raises(ModelError, match="no numbers"):
        Reader.of(Broken()).read_crops([np.zeros((30, 120, 3), np.uint8)] * 20)


def test_the_shipped_recognizer_reads_the_same_to_the_last_bit():
    crops = [sample.image for sample in RenderedLines(seed=4, held_out=True).many(range(24))]
    pack = load_pack(find_model())
    alone = Reader.of(OnnxRecognizer(pack, "cpu", 1, mode="adaptive"))
    lanes = Reader.of(OnnxRecognizer(pack, "cpu", 3, mode="adaptive"))
    assert lanes._recognizer.lane() is lanes._recognizer.lane() is not lanes._recognizer
    assert (alone._recognizer.lanes, lanes._recognizer.lanes) == (1, 3)
    together = lanes.read_crops(crops)
    assert together == [alone.read_crops([crop])[0] for crop in crops]
    assert sum(bool(word.text) for word in together) > 18
