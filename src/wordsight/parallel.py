"""Work in several processes: none outlives its parent, and one that is killed costs the item it was at a second try."""

import contextlib
import multiprocessing as mp
import os
import pickle
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from wordsight.errors import ConfigError, WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 3
"""Times that an item may end a process before its result is a `WorkerError`."""

LIMIT = 900.0
"""Seconds that one item may take; a process that is at it for longer is ended."""

_AHEAD = 64  # items for each process that may be done before an earlier one is
_GIVEN = 2  # items that a process has, so that it need not wait for the next one

_context = mp.get_context("spawn")  # a fork of a process that has threads (ONNX Runtime's) may hang


class Pool(Generic[Item, Result]):
    """Processes that wait for work. Use it in a `with` block and from one thread, one call to its end before the next.

    Args:
        make: called once in each process, for the function that turns an item into its result. It, the items and the
            results are pickled.
        workers: how many processes.

    Raises:
        ConfigError: none.
    """

    def __init__(self, make: Callable[[], Callable[[Item], Result]], workers: int) -> None:
        if workers < 1:
            raise ConfigError(f"there must be at least one worker, not {workers}")
        self._make = pickle.dumps(make)
        self._workers = [_Worker(self._make) for _ in range(workers)]
        self._stillborn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.connection.close()  # at which they end, all at a time
        for worker in self._workers:
            worker.end()

    def in_order(self, items: Iterable[Item]) -> Iterator[tuple[Item, "Result | WorkerError"]]:
        """Items with their results, in the order of the items. For errors see `each`."""
        waiting: dict[int, tuple[Item, Result | WorkerError]] = {}
        following = 0
        for position, item, result in self._each(items):
            waiting[position] = item, result
            while following in waiting:
                yield waiting.pop(following)
                following += 1

    def each(self, items: Iterable[Item]) -> Iterator[tuple[Item, "Result | WorkerError"]]:
        """Items with their results as they are done. Few more items are taken than there are processes.

        An item at which three processes ended (killed, out of memory, a crash, or after 15 minutes) comes with a
        `WorkerError` that says how, and the others continue.

        Raises:
            WorkerError: no process starts.
            Exception: whatever `make` or its function raised.
        """
        for _, item, result in self._each(items):
            yield item, result

    def _each(self, items: Iterable[Item]) -> Iterator[tuple[int, Item, "Result | WorkerError"]]:
        source = enumerate(items)
        newest = -1  # of the positions that were taken
        again: deque[tuple[int, Item]] = deque()  # what processes that died had been given
        deaths: Counter[int] = Counter()

        def following() -> tuple[int, Item] | None:
            nonlocal newest
            if again:
                return again.popleft()
            oldest = min((worker.given[0][0] for worker in self._workers if worker.given), default=newest)
            if newest - oldest >= _AHEAD * len(self._workers):
                return None
            pair = next(source, None)
            newest += pair is not None
            return pair

        while True:
            for worker in self._workers:
                while len(worker.given) < _GIVEN and (pair := following()):
                    worker.give(pair)
            if not any(worker.given for worker in self._workers):
                return
            for worker in self._heard():
                try:
                    kind, value = worker.connection.recv()
                except (EOFError, OSError):
                    how, given = worker.end(), list(worker.given)
                    if given and worker.ready:
                        position, item = given[0]
                        deaths[position] += 1
                        if deaths[position] >= TRIES:
                            yield position, item, WorkerError(f"{TRIES} processes died while reading it ({how})")
                            del given[0]
                    again.extendleft(reversed(given))
                    self._replace(worker, how)
                    continue
                if kind == "ready":
                    worker.begin()
                    self._stillborn = 0
                elif kind == "raised":
                    raise value
                else:
                    position, item = worker.given.popleft()
                    worker.begin()
                    yield position, item, value

    def _heard(self) -> list["_Worker"]:
        """The processes that have something to say, or that are no more. Ends those that are at an item too long."""
        ready = wait([worker.connection for worker in self._workers], timeout=LIMIT / 100)
        for worker in self._workers:
            if worker.connection not in ready and worker.overdue:
                worker.process.kill()
        return [worker for worker in self._workers if worker.connection in ready]

    def _replace(self, worker: "_Worker", how: str) -> None:
        self._workers.remove(worker)
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= TRIES:
                raise WorkerError(
                    f"the reading processes die at startup ({how}): use fewer workers if memory is short; "
                    'a script of yours must call this under `if __name__ == "__main__":`'
                )
        self._workers.append(_Worker(self._make))


def in_order(make: Callable[[], Callable[[Item], Result]], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """The results of some items in their order, made in this process or, with more than one worker, by a `Pool`.

    Raises:
        WorkerError: processes ended three times at the same item, or none starts.
    """
    if workers == 1:
        yield from map(make(), items)
        return
    with Pool(make, min(workers, len(items))) as pool:
        for _, result in pool.in_order(items):
            if isinstance(result, WorkerError):
                raise result
            yield result


class _Worker:
    """A process seen from its parent. `given`: the items it has not answered, with their positions."""

    def __init__(self, make: bytes) -> None:
        self.connection, theirs = _context.Pipe()
        self.process = _context.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.given: deque[tuple[int, Any]] = deque()
        self.ready = False
        self._since = time.monotonic()
        self._tell(make)

    def give(self, pair: tuple[int, Any]) -> None:
        """One more item to do."""
        if not self.given:
            self._since = time.monotonic()
        self.given.append(pair)
        self._tell(pickle.dumps(pair[1], protocol=pickle.HIGHEST_PROTOCOL))

    def begin(self) -> None:
        """It starts with the first of what it was given."""
        self.ready = True
        self._since = time.monotonic()

    @property
    def overdue(self) -> bool:
        """Whether it has been at one item for longer than is allowed."""
        return bool(self.given) and time.monotonic() - self._since > LIMIT

    def end(self) -> str:
        """Ends it, if it has not ended. Says how it did."""
        how = f"after {LIMIT:.0f} seconds" if self.overdue else ""
        self.connection.close()
        self.process.join(0.1)  # dying by itself, it has an exit code of its own
        self.process.kill()
        self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        return how or (f"signal {-code}" if code < 0 else f"exit status {code}")

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # it is no more, which is heard when it is asked for its results
            self.connection.send_bytes(message)


def _work(connection: Connection) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent sees to it
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and OpenCV are there
    messages: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, messages), daemon=True).start()
    try:
        function = pickle.loads(messages.get())()  # noqa: S301  (of our own parent)
        connection.send(("ready", None))
        while True:
            connection.send(("done", function(pickle.loads(messages.get()))))  # noqa: S301
    except OSError:
        os._exit(1)  # the parent is no more
    except Exception as error:
        connection.send(("raised", _portable(error)))
        messages.get()  # until the parent ends this


def _portable(error: Exception) -> Exception:
    """The error, or if it cannot be pickled one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _listen(connection: Connection, messages: "SimpleQueue[bytes]") -> None:
    """Takes what the parent sends at once, so that it never waits, and ends this process as soon as there is no parent.

    Nothing else holds the other end of the connection, so it closes with the parent, however that ends.
    """
    try:
        while True:
            messages.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)
