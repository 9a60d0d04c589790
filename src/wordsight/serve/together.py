"""What several requests ask for, done together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from math import ceil
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from wordsight.serve.desk import check_deadline, for_others

if TYPE_CHECKING:
    from wordsight.decoding import Reading
    from wordsight.decoding.context import SceneContext
    from wordsight.imaging import Preprocessing
    from wordsight.reading.parts import Recognizer, SceneConditioned
    from wordsight.serve.metrics import Metrics

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 0.005
"""Seconds for which a batch waits for the next crops while other requests are being read."""

LONGEST = 0.02
"""Longest wait in seconds, however many may still come."""

MOST = 64
"""Crops of a batch, unless one thread brings more."""


class Together(Generic[Item, Result]):
    """Something that does lists, for many threads: what they bring while it is busy is done together afterwards.

    Whoever comes while fewer batches are being done than may be does one, for all that have come and are of one kind,
    but leaves the others their share. Before that it may wait a moment for others, if others are reading or were in the
    last batch: a single client never waits.

    Args:
        run: does a list of one kind: a result for each item, whatever company it has.
        company: how many requests are being read.
        lanes: batches that may be done at a time.
        patience: seconds for which a batch waits for the next items.
    """

    def __init__(
        self,
        run: Callable[[Any, list[Item]], Sequence[Result]],
        company: Callable[[], int],
        lanes: int = 1,
        patience: float = PATIENCE,
    ) -> None:
        self._do_list = run
        self._company = company
        self._lanes = lanes
        self._patience = patience
        self._changed = Condition()
        self._waiting: deque[_Brought[Item, Result]] = deque()
        self._last = 1, 0.0  # of how many threads the last batch was, and when it ended
        self._gathering = False  # whether some thread is
        self._running = 0  # batches

    def do(self, items: Sequence[Item], kind: Hashable) -> list[Result]:
        """The result for each item.

        Raises:
            Exception: what `run` raises for these items alone.
        """
        mine = _Brought[Item, Result](items, kind)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
            while mine.results is None and mine.error is None:
                if mine.taken or self._gathering or self._running >= self._lanes:
                    self._changed.wait()
                else:
                    self._work()
        if mine.error is not None:
            raise mine.error
        return cast("list[Result]", mine.results)

    def _work(self) -> None:
        """Gathers a batch and runs it. Holds the lock, but for the run itself."""
        self._gathering = True
        batch = self._gather()
        self._gathering = False
        self._running += 1
        self._changed.notify_all()
        self._changed.release()
        try:
            self._run(batch)
        finally:
            self._changed.acquire()
            self._running, self._last = self._running - 1, (len(batch), monotonic())
            self._changed.notify_all()

    def _gather(self) -> list[_Brought[Item, Result]]:
        """What goes together: those that came first, after waiting for company. Holds the lock."""
        start = monotonic()
        threads, ended = self._last
        expected = threads if start - ended < LONGEST else 1
        wanted = max(expected, ceil(self._company() / self._lanes))
        while sum(len(each.items) for each in self._waiting) < MOST and len(self._waiting) < wanted:
            left = min(self._patience, start + LONGEST - monotonic())
            if left <= 0 or not self._wait_for_more(len(self._waiting), left):
                break
        batch, others, room = [self._waiting.popleft()], deque[_Brought[Item, Result]](), MOST
        room -= len(batch[0].items)
        # Who takes all leaves the other lanes idle
        share = ceil(max(self._company(), 1 + len(self._waiting)) / self._lanes)
        for each in self._waiting:
            fits = each.kind == batch[0].kind and len(each.items) <= room and len(batch) < share
            (batch if fits else others).append(each)
            room -= len(each.items) if fits else 0
        self._waiting = others
        for each in batch:
            each.taken = True
        return batch

    def _wait_for_more(self, here: int, seconds: float) -> bool:
        return self._changed.wait_for(lambda: len(self._waiting) > here, seconds)

    def _run(self, batch: list[_Brought[Item, Result]]) -> None:
        try:
            with for_others() if len(batch) > 1 else nullcontext():
                self._do(batch)
        except Exception:  # one of them may be to blame: each on its own
            for each in batch:
                try:
                    self._do([each])
                except Exception as error:
                    each.error = error

    def _do(self, batch: list[_Brought[Item, Result]]) -> None:
        results = iter(self._do_list(batch[0].kind, [item for each in batch for item in each.items]))
        for each in batch:
            each.results = [next(results) for _ in each.items]


class _Brought(Generic[Item, Result]):
    """What one thread brings, and what it gets."""

    def __init__(self, items: Sequence[Item], kind: Hashable) -> None:
        self.items = items
        self.kind = kind
        self.taken = False
        self.results: list[Result] | None = None
        self.error: Exception | None = None


class Shared:
    """A recognizer for many threads, whose crops go through it together where it takes them together best.

    Args:
        now: gives the recognizer that does it.
        metrics: where batch sizes and times go.
        company: how many requests are being read. None: each goes through it alone.
        before: called before each batch; it may raise.
    """

    def __init__(
        self,
        now: Callable[[], Recognizer],
        metrics: Metrics,
        company: Callable[[], int] | None,
        before: Callable[[], None] = check_deadline,
    ) -> None:
        self._now = now
        self._metrics = metrics
        self._before = before
        self._together: Together[NDArray[np.float32], Reading] | None
        self._together = company and Together(lambda _, crops: self._read(np.stack(crops)), company)

    @property
    def preprocessing(self) -> Preprocessing:
        """Of the recognizer."""
        return self._now().preprocessing

    @property
    def provider(self) -> str:
        """Of the recognizer."""
        return self._now().provider

    @property
    def scene_encoder(self) -> str | None:
        """Of the recognizer."""
        return getattr(self._now(), "scene_encoder", None)

    def encode_scenes(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """By the recognizer."""
        return cast("SceneConditioned", self._now()).encode_scenes(photos)

    def read(self, images: NDArray[np.float32], scenes: SceneContext | None = None) -> list[Reading]:
        """Reads prepared crops (B, 3, H, W); crops with scenes on their own."""
        self._before()
        if scenes is not None:
            return cast("SceneConditioned", self._now()).read(images, scenes)
        if self._together is None:
            return self._read(images)
        return self._together.do(list(images), images.shape[1:])

    def _read(self, crops: NDArray[np.float32]) -> list[Reading]:
        self._metrics.batch.observe(len(crops))
        with self._metrics.stage("recognize"):
            return self._now().read(crops)
