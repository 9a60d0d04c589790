"""Places in the queue, deadlines, and room that threads share."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from wordsight.serve.crowd import Turns
from wordsight.serve.desk import Desk, Room, check_deadline
from wordsight.serve.metrics import Metrics
from wordsight.serve.refusals import Refusal


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What work waits for; opened at the end in any case."""
    gate = threading.Event()
    yield gate
    gate.set()


def _desk(threads: int = 1, places: int = 1, timeout: float = 10) -> Desk:
    return Desk(threads, places, timeout, Metrics())


async def _status(work: "asyncio.Future[object]") -> int:
    with pytest.raises(Refusal) as refusal:
        await work
    return refusal.value.status


def test_work_is_done_in_a_thread_and_errors_come_back() -> None:
    async def main() -> None:
        desk = _desk()
        assert await desk.do(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await desk.do(lambda: 1 / 0)
        assert not desk.full

    asyncio.run(main())


def test_who_finds_the_queue_full_is_refused_at_once(gate: threading.Event) -> None:
    async def main() -> None:
        desk = _desk(threads=2, places=3)
        jobs = [asyncio.ensure_future(desk.do(gate.wait)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert desk.full
        start = time.perf_counter()
        assert await _status(asyncio.ensure_future(desk.do(gate.wait))) == 503
        assert time.perf_counter() - start < 0.1
        gate.set()
        assert await asyncio.gather(*jobs) == [True] * 5
        assert not desk.full

    asyncio.run(main())


def test_work_that_is_late_is_answered_in_time_and_not_begun(gate: threading.Event) -> None:
    async def main() -> None:
        desk = _desk(timeout=0.2)
        begun = []
        start = time.perf_counter()
        jobs = [desk.do(gate.wait), desk.do(lambda: begun.append(1))]
        assert await asyncio.gather(*map(_status, map(asyncio.ensure_future, jobs))) == [504, 504]
        assert 0.15 < time.perf_counter() - start < 1
        assert desk.full  # its thread is still busy
        gate.set()
        while desk.full:
            await asyncio.sleep(0.01)
        assert await desk.do(lambda: "next") == "next"
        assert begun == []

    asyncio.run(main())


def test_a_long_work_notices_that_it_is_late_or_its_client_gone() -> None:
    ended = []

    def work() -> None:
        try:
            while True:
                check_deadline()
                time.sleep(0.01)
        finally:
            ended.append(1)

    async def main() -> None:
        assert await _status(asyncio.ensure_future(_desk(timeout=0.1).do(work))) == 504
        gone = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(_desk(timeout=60).do(work, gone))
        await asyncio.sleep(0.05)
        gone.set_result(None)
        assert await _status(waiting) == 499  # nobody is there to get it: it is for logs and metrics
        while len(ended) < 2:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_no_more_is_held_than_there_is_room() -> None:
    room = Room(10)
    held, most, lock = 0, 0, threading.Lock()

    def work(amount: int) -> None:
        nonlocal held, most
        with room.of(amount):
            with lock:
                held += min(amount, 10)
                most = max(most, held)
            time.sleep(0.002)
            with lock:
                held -= min(amount, 10)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [3, 1, 4, 1, 5, 9, 2, 60, 5, 3, 5] * 5))
    assert held == 0
    assert 5 < most <= 10


def test_who_is_late_does_not_wait_for_room() -> None:
    room = Room(1)

    def work() -> None:
        with room.of(1):
            pass

    async def main() -> None:
        with room.of(1):
            assert await _status(asyncio.ensure_future(_desk(timeout=0.2).do(work))) == 504
        await _desk().do(work)

    asyncio.run(main())


def test_so_many_have_a_turn_at_a_time_and_between_steps_others_go_first() -> None:
    turns, lock = Turns(2), threading.Lock()
    working, most = 0, 0
    steps: list[int] = []

    def step(number: int) -> None:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
            steps.append(number)
        time.sleep(0.005)
        with lock:
            working -= 1

    def work(number: int) -> None:
        with turns.turn():
            step(number)
            for _ in range(9):
                turns.pass_on()
                step(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert most == 2
    assert sorted(steps) == sorted(list(range(6)) * 10)
    first = [steps.index(number) for number in range(6)]
    assert max(first) < 40  # the last one does not wait until the first ones have done all their steps
    with turns.turn(), turns.turn():  # all were given back
        pass


def test_who_is_late_gives_its_turn_back() -> None:
    turns = Turns(1)

    def work() -> None:
        with turns.turn():
            while True:
                time.sleep(0.01)
                turns.pass_on()

    async def main() -> None:
        desk = _desk(threads=3, timeout=0.2)
        jobs = [asyncio.ensure_future(desk.do(work)) for _ in range(3)]
        assert [await _status(job) for job in jobs] == [504] * 3
        with turns.turn():
            assert await _status(asyncio.ensure_future(_desk(timeout=0.2).do(work))) == 504
        await _desk().do(lambda: turns.turn().__enter__())

    asyncio.run(asyncio.wait_for(main(), 60))
