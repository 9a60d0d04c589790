"""One request has all processors to itself, of many each has its share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from wordsight.serve.desk import check_deadline, time_left
from wordsight.serve.refusals import late

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Crowd(Generic[T]):
    """Something that computes, in two settings that give the same results to the last bit.

    Two threads that share one network's operators wait for each other; two that compute one picture each do not: on two
    processors that is a fifth to a third more of them a second. A picture that comes alone would take longer.

    Attributes:
        alone: it uses all threads for one call.
        many: it uses a share of them, so that `most` calls can go on at a time.
        most: calls of `many` at a time.
        company: how many requests are being read.
    """

    alone: T
    many: T
    most: int
    company: Callable[[], int]

    def now(self) -> T:
        """The one for as many requests as there are."""
        return self.many if self.company() >= self.most > 1 else self.alone

    def mapped(self, make: Callable[[T], U]) -> Crowd[U]:
        """Another thing, made of both settings of this one."""
        return Crowd(make(self.alone), make(self.many), self.most, self.company)


class Turns:
    """Lets so many threads work at a time, in the order in which they come; between long steps others go first.

    More threads at work than there are processors read no more, but wait for Python's lock and for each other; and the
    one that answers whether the process is alive waits with them.

    Args:
        most: threads at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = self._free = most
        self._waiting: deque[Lock] = deque()
        self._lock = Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn, and has it until the end of the block.

        Raises:
            Refusal: 504, the request is late.
        """
        mine = self._queue()
        if mine is not None and not mine.acquire(timeout=max(0.0, time_left())):
            with self._lock:
                waited_in_vain = mine in self._waiting
                if waited_in_vain:
                    self._waiting.remove(mine)
            if not waited_in_vain:  # it has come in this very moment
                self._give()
            raise late()
        try:
            yield
        finally:
            self._give()

    def pass_on(self) -> None:
        """Lets whoever waits go first. Call it between long steps, and in a turn.

        Raises:
            Refusal: 504, the request is late.
        """
        if self._waiting:
            self._give()
            mine = self._queue()
            if mine is not None:
                mine.acquire()  # however late: the turn is given back by whoever took it
        check_deadline()

    def _queue(self) -> Lock | None:
        """A lock that is free when it is this thread's turn; None: it is now."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
            return mine

    def _give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
