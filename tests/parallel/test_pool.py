"""Processes that work for this one: order, crashes, and that none is left over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from wordsight import parallel
from wordsight.errors import ConfigError, WorkerError
from wordsight.parallel import Pool


def doubling() -> Callable[[int], int]:
    return lambda number: 2 * number


def reversing() -> Callable[[bytes], bytes]:
    return lambda data: data[::-1]


def first_is_slow() -> Callable[[int], int]:
    def work(number: int) -> int:
        time.sleep(0.3 if number == 0 else 0)
        return os.getpid()

    return work


def deadly(once: Path | None) -> Callable[[int], int]:
    """13 kills the process; if a file is given, the first time only."""

    def work(number: int) -> int:
        if number == 13 and not (once and once.exists()):
            if once:
                once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number

    return work


def hanging() -> Callable[[int], int]:
    def work(number: int) -> int:
        time.sleep(60 if number == 13 else 0)
        return number

    return work


def refusing() -> Callable[[int], int]:
    raise ConfigError("there is nothing to work with")


def stillborn() -> Callable[[int], int]:
    os._exit(7)


def raising() -> Callable[[int], int]:
    return lambda number: number // 0


def test_results_come_in_order_and_from_other_processes() -> None:
    with Pool(first_is_slow, 2) as pool:
        results = list(pool.in_order(range(20)))
    assert [number for number, _ in results] == list(range(20))
    assert os.getpid() not in {process for _, process in results}
    assert len({process for _, process in results}) == 2


def test_as_they_are_done_each_comes_once_and_a_pool_works_again() -> None:
    with Pool(doubling, 2) as pool:
        for count in (30, 3, 0):
            assert sorted(pool.each(range(count))) == [(n, 2 * n) for n in range(count)]


def test_large_items_and_results_do_not_wait_for_each_other() -> None:
    items = [bytes([k]) * 3_000_000 for k in range(8)]
    with Pool(reversing, 2) as pool:
        assert [result for _, result in pool.in_order(items)] == items


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    with Pool(doubling, 2) as pool:
        results = pool.in_order(items())
        for _ in range(5):
            next(results)
        assert len(taken) < 300


def test_a_process_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    with Pool(partial(deadly, tmp_path / "was here"), 2) as pool:
        assert list(pool.in_order(range(30))) == [(n, 2 * n) for n in range(30)]


def test_an_item_that_always_kills_is_given_up_and_the_others_go_on() -> None:
    with Pool(partial(deadly, None), 2) as pool:
        results = dict(pool.in_order(range(30)))
    error = results.pop(13)
    assert isinstance(error, WorkerError)
    assert str(error) == "3 processes died while reading it (signal 9)"
    assert results == {n: 2 * n for n in range(30) if n != 13}


def test_an_item_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "LIMIT", 1.5)  # in which a process starts on a busy machine, too
    with Pool(hanging, 1) as pool:
        results = dict(pool.in_order([1, 13, 2]))
    assert "seconds" in str(results.pop(13))
    assert results == {1: 1, 2: 2}


def test_errors_of_the_function_reach_the_caller() -> None:
    with Pool(refusing, 2) as pool, pytest.raises(ConfigError, match="nothing to work with"):
        list(pool.each([1]))
    with Pool(raising, 1) as pool, pytest.raises(ZeroDivisionError):
        list(pool.each([1]))
    with pytest.raises(ConfigError, match="at least one worker"):
        Pool(doubling, 0)


def test_processes_that_do_not_start_are_not_started_for_ever() -> None:
    with Pool(stillborn, 2) as pool, pytest.raises(WorkerError, match=r"exit status 7.*__main__"):
        list(pool.each([1, 2]))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from wordsight.parallel import Pool\n"
        "def sleeping():\n"
        "    os.write(1, f'{os.getpid()}\\n'.encode())  # at once: two processes write here\n"
        "    return time.sleep\n"
        "if __name__ == '__main__':\n"
        "    with Pool(sleeping, 2) as pool:\n"
        "        list(pool.each([60, 60]))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert parent.stdout is not None
    children = [int(parent.stdout.readline()) for _ in range(2)]
    assert all(Path(f"/proc/{child}").exists() for child in children)
    parent.send_signal(how)
    assert parent.wait(20) != 0
    end = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < end, "workers are still there"
        time.sleep(0.05)
