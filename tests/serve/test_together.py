"""Crops of several threads through one recognizer: who waits for whom, and that nobody gets another's words."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from running_service import crop

from wordsight.decoding import Reading
from wordsight.errors import ModelError
from wordsight.imaging import Preprocessing
from wordsight.results import Word
from wordsight.serve.crowd import Crowd
from wordsight.serve.desk import Desk, check_deadline
from wordsight.serve.engine import Engine
from wordsight.serve.metrics import Metrics
from wordsight.serve.options import Constrained
from wordsight.serve.refusals import Refusal
from wordsight.serve.settings import Settings
from wordsight.serve.together import MOST, PATIENCE, Shared, Together


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


class Shares(Shared):
    """What the service makes of a recognizer whose threads believe that so many requests are being read."""

    def __init__(self, recognizer: Any, company: int) -> None:
        super().__init__(lambda: recognizer, Metrics(), lambda: company)


def crops(numbers: Sequence[float], width: int = 8) -> np.ndarray:
    return np.repeat(np.array(numbers, np.float32), 3 * 4 * width).reshape(-1, 3, 4, width)


def texts(readings: list[Reading]) -> list[str]:
    return [reading.text for reading in readings]


def test_alone_nobody_waits() -> None:
    slow = Slow(0)
    together = Shares(slow, 1)
    times = []
    for number in range(50):
        start = time.perf_counter()
        assert texts(together.read(crops([number]))) == [str(number)]
        times.append(time.perf_counter() - start)
    assert slow.batches == [[number] for number in range(50)]
    assert sorted(times)[25] < PATIENCE / 2


def test_threads_share_batches_and_get_their_own() -> None:
    slow = Slow()
    together = Shares(slow, 8)

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
    together = Shares(slow, 1)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(together.read, crops([0]))
        while not slow.batches:
            time.sleep(0.001)
        others = [pool.submit(together.read, crops([number])) for number in range(1, 5)]
        assert texts(first.result()) == ["0"]
        assert [texts(other.result()) for other in others] == [["1"], ["2"], ["3"], ["4"]]
    assert [len(batch) for batch in slow.batches] == [1, 4]


def test_several_lanes_share_what_waits() -> None:
    """Nobody takes all of it, and leaves the others idle; what waits meanwhile goes together."""
    lists: list[list[int]] = []

    def run(kind: str, items: Sequence[int]) -> list[str]:
        lists.append(list(items))
        time.sleep(0.1)
        return [f"{kind}{item}" for item in items]

    together = Together[int, str](run, lambda: 8, lanes=2, patience=0)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(together.do, [number], "n") for number in range(8)]
        assert [job.result() for job in jobs] == [[f"n{number}"] for number in range(8)]
    assert len(lists) < 8
    assert max(map(len, lists)) <= 4


def test_what_is_done_for_others_does_not_end_with_the_one_who_does_it() -> None:
    """Its request is late; theirs are not."""
    desk = Desk(2, 8, 0.3, Metrics())
    begun = threading.Event()

    def run(_: str, items: Sequence[int]) -> Sequence[int]:
        begun.set()
        for _ in range(40):
            check_deadline()
            time.sleep(0.01)
        return items

    together = Together[int, int](run, lambda: 2, patience=0)

    async def main() -> None:
        alone = asyncio.ensure_future(desk.do(lambda: together.do([1], "")))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        with pytest.raises(Refusal):
            await alone
        late, patient = desk.do(lambda: together.do([2], "")), Desk(1, 8, 20, Metrics())
        both = await asyncio.gather(late, patient.do(lambda: together.do([3], "")), return_exceptions=True)
        assert both[1] == [3]

    asyncio.run(main())


def test_crops_of_different_shapes_and_too_many_do_not_mix() -> None:
    slow = Slow(0.05)
    together = Shares(slow, 4)
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
    together = Shares(slow, 4)
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
    """Bit for bit, be the batch 1 or 40, be there one thread or two."""
    from wordsight.runtime import OnnxRecognizer, find_model, load_pack

    pack = load_pack(find_model())
    recognizer = OnnxRecognizer(pack, "cpu", 2, mode="adaptive")
    shape = (40, 3, recognizer.preprocessing.height, recognizer.preprocessing.width or 160)
    images = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    alone = [recognizer.read(image[None])[0] for image in images]
    one_thread = OnnxRecognizer(pack, "cpu", 1, mode="adaptive")
    together = Shared(Crowd(recognizer, one_thread, 2, lambda: 40).now, Metrics(), lambda: 40)
    with ThreadPoolExecutor(40) as pool:
        assert [one for (one,) in pool.map(together.read, images[:, None])] == alone


def test_crops_of_others_that_make_the_model_fail_harm_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Settings(), Metrics(), lambda: 1)
    failed = [ModelError("the model failed on a batch")]
    monkeypatch.setattr(engine._crops, "do", lambda pictures, constraint: failed)
    (word,) = engine.read_crops([crop("HOTEL")], Constrained())
    assert isinstance(word, Word)
    assert word.text == "HOTEL"
