"""Crops of several threads through one recognizer: who waits for whom, and that nobody gets another's words."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from wordsight.decoding import Reading
from wordsight.imaging import Preprocessing
from wordsight.serve.metrics import Metrics
from wordsight.serve.together import MOST, PATIENCE, Together


class Slow:
    """Reads the number that a crop is filled with, and takes a while. Negative ones make it fail."""

    provider = "SlowExecutionProvider"
    preprocessing = Preprocessing()

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds = seconds
        self.batches: list[list[float]] = []

    def read(self, images: np.ndarray) -> list[Reading]:
        numbers = [float(image.flat[0]) for image in images]
        self.batches.append(numbers)
        time.sleep(self.seconds)
        if min(numbers) < 0:
            raise ValueError("a bad crop")
        return [Reading(f"{number:.0f}", 1.0) for number in numbers]


def crops(numbers: Sequence[float], width: int = 8) -> np.ndarray:
    return np.repeat(np.array(numbers, np.float32), 3 * 4 * width).reshape(-1, 3, 4, width)


def texts(readings: list[Reading]) -> list[str]:
    return [reading.text for reading in readings]


def test_alone_nobody_waits() -> None:
    slow = Slow(0)
    together = Together(slow, Metrics(), lambda: 1)
    times = []
    for number in range(50):
        start = time.perf_counter()
        assert texts(together.read(crops([number]))) == [str(number)]
        times.append(time.perf_counter() - start)
    assert slow.batches == [[number] for number in range(50)]
    assert sorted(times)[25] < PATIENCE / 2


def test_threads_share_batches_and_get_their_own() -> None:
    slow = Slow()
    together = Together(slow, Metrics(), lambda: 8)

    def work(thread: int) -> None:
        for turn in range(10):
            mine = [1000 * thread + 10 * turn + k for k in range(1 + (thread + turn) % 3)]
            assert texts(together.read(crops(mine))) == [str(number) for number in mine]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(slow.batches) < 40  # of 80 calls
    assert max(map(len, slow.batches)) > 4


def test_whoever_comes_meanwhile_goes_next_in_one_batch() -> None:
    slow = Slow(0.2)
    together = Together(slow, Metrics(), lambda: 1)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(together.read, crops([0]))
        while not slow.batches:
            time.sleep(0.001)
        others = [pool.submit(together.read, crops([number])) for number in range(1, 5)]
        assert texts(first.result()) == ["0"]
        assert [texts(other.result()) for other in others] == [["1"], ["2"], ["3"], ["4"]]
    assert [len(batch) for batch in slow.batches] == [1, 4]


def test_crops_of_different_shapes_and_too_many_do_not_mix() -> None:
    slow = Slow(0.05)
    together = Together(slow, Metrics(), lambda: 4)
    many = list(range(MOST - 1))
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(together.read, each) for each in (crops(many), crops([1, 2]), crops([3], 16), crops([4], 16))
        ]
        assert [texts(job.result()) for job in jobs] == [[str(n) for n in many], ["1", "2"], ["3"], ["4"]]
    assert max(map(len, slow.batches)) <= MOST
    assert [1.0, 2.0] in slow.batches


def test_a_crop_that_makes_it_fail_harms_nobody_else() -> None:
    slow = Slow(0.05)
    together = Together(slow, Metrics(), lambda: 4)
    gate = threading.Barrier(4)

    def work(number: int) -> list[str]:
        gate.wait()
        return texts(together.read(crops([number])))

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(work, number) for number in (1, -2, 3, 4)]
        with pytest.raises(ValueError, match="a bad crop"):
            jobs[1].result()
        assert [jobs[i].result() for i in (0, 2, 3)] == [["1"], ["3"], ["4"]]
    assert texts(together.read(crops([5]))) == ["5"]


def test_readings_of_the_model_do_not_depend_on_company() -> None:
    """Bit for bit, be the batch 1 or 40."""
    from wordsight.runtime import OnnxRecognizer, find_model, load_pack

    recognizer = OnnxRecognizer(load_pack(find_model()), "cpu", 1, mode="adaptive")
    shape = (40, 3, recognizer.preprocessing.height, recognizer.preprocessing.width or 160)
    images = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    alone = [recognizer.read(image[None])[0] for image in images]
    together = Together(recognizer, Metrics(), lambda: 40)
    with ThreadPoolExecutor(40) as pool:
        assert [one for (one,) in pool.map(together.read, images[:, None])] == alone
