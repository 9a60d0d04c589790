"""Where requests wait for a thread: so many at most, so long at most, and only as many pixels at a time as fit."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition, Lock
from time import monotonic, perf_counter
from typing import Any, TypeVar

from wordsight.serve.metrics import Metrics
from wordsight.serve.refusals import busy, departed, late

T = TypeVar("T")


class _Job:
    """What its thread must know about a request: when nobody waits for the answer any more."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def give_up(self) -> None:
        self.deadline = 0.0


_JOB: ContextVar[_Job | None] = ContextVar("job", default=None)


def time_left() -> float:
    """Seconds until the request of this thread is late; a thousand where it is none."""
    job = _JOB.get()
    return 1000.0 if job is None else job.deadline - monotonic()


def check_deadline() -> None:
    """Ends the work for a request that is late or whose client is gone. Call it between long steps.

    Raises:
        Refusal: 504.
    """
    if time_left() <= 0:
        raise late()


@contextmanager
def for_others() -> Iterator[None]:
    """Work that this thread does for other requests, too, does not end when its own one is late."""
    token = _JOB.set(None)
    try:
        yield
    finally:
        _JOB.reset(token)


class Desk:
    """Threads for requests, and places in the queue before them.

    Args:
        threads: that work at the same time.
        places: of the queue.
        timeout: seconds from `do` to an answer.
        metrics: for the depth of the queue and times.
    """

    def __init__(self, threads: int, places: int, timeout: float, metrics: Metrics) -> None:
        self._pool = ThreadPoolExecutor(threads, "reading")
        self._most = threads + places
        self._taken = 0
        self._running = 0
        self._lock = Lock()
        self._timeout = timeout
        self._metrics = metrics
        metrics.waiting.set_function(lambda: max(0, self._taken - self._running))
        metrics.running.set_function(self.running)

    def running(self) -> int:
        """Requests that have a thread."""
        return self._running

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self._taken >= self._most

    async def do(self, work: Callable[[], T], gone: "asyncio.Future[None] | None" = None) -> T:
        """What `work` returns, in a thread of its own.

        Args:
            work: calls `check_deadline` between long steps.
            gone: done when the client is.

        Raises:
            Refusal: 503 where the queue is full, 504 where the time is up, 499 where the client is gone.
        """
        if self.full:
            raise busy()
        job, start = _Job(monotonic() + self._timeout), perf_counter()
        loop = asyncio.get_running_loop()
        running: asyncio.Future[T] = loop.run_in_executor(self._pool, self._work, job, start, work)
        self._taken += 1
        running.add_done_callback(self._leave)
        try:
            waited: list[asyncio.Future[Any]] = [running, gone] if gone else [running]
            await asyncio.wait(waited, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not running.done():
                job.give_up()
                running.add_done_callback(_forget)
        if not running.done():
            raise departed() if gone is not None and gone.done() else late()
        return running.result()

    def _leave(self, _: object) -> None:
        self._taken -= 1

    def _work(self, job: _Job, start: float, work: Callable[[], T]) -> T:
        self._metrics.seconds.labels("queue").observe(perf_counter() - start)
        token = _JOB.set(job)
        with self._lock:
            self._running += 1
        try:
            check_deadline()
            with self._metrics.stage("read"):
                return work()
        finally:
            with self._lock:
                self._running -= 1
            _JOB.reset(token)

    def close(self) -> None:
        """Waits for what is being done; what waits in the queue is dropped."""
        self._pool.shutdown(cancel_futures=True)


def _forget(future: "asyncio.Future[T]") -> None:
    """Takes an error that nobody waits for any more, lest asyncio complains."""
    if not future.cancelled():
        future.exception()


class Room:
    """An amount of something that threads share, each waiting until what it needs is free."""

    def __init__(self, amount: int) -> None:
        self._amount = self._free = amount
        self._changed = Condition()

    @contextmanager
    def of(self, needed: int) -> Iterator[None]:
        """Holds that much; all of it at most.

        Raises:
            Refusal: 504, the request is late.
        """
        needed = min(needed, self._amount)
        with self._changed:
            if not self._changed.wait_for(lambda: self._free >= needed, max(0.0, time_left())):
                raise late()
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()
