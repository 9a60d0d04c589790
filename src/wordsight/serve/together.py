"""Crops of several requests through one recognizer at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from wordsight.serve.desk import check_deadline

if TYPE_CHECKING:
    from wordsight.decoding import Reading
    from wordsight.decoding.context import Scenes
    from wordsight.imaging import Preprocessing
    from wordsight.reading.parts import Recognizer, ToldRecognizer
    from wordsight.serve.metrics import Metrics

PATIENCE = 0.005
"""Seconds for which a batch waits for the next crops while other requests are being read."""

LONGEST = 0.02
"""Longest wait in seconds, however many may still come."""

MOST = 64
"""Crops of a batch, unless one thread brings more."""


class Together:
    """A recognizer for many threads: what they bring while it is busy goes through it together afterwards.

    Whoever comes when it is idle runs it, for all that have come. Before that it waits a moment for others, if others
    are reading or were in the last batch: a single client's crops never wait. A recognizer's readings do not depend on
    company, so neither do these.

    Args:
        recognizer: the one that does it.
        metrics: where batch sizes and times go.
        company: how many requests are being read.
    """

    def __init__(self, recognizer: Recognizer, metrics: Metrics, company: Callable[[], int]) -> None:
        self._recognizer = recognizer
        self._metrics = metrics
        self._company = company
        self._changed = Condition()
        self._waiting: deque[_Crops] = deque()
        self._last = 1, 0.0  # of how many threads the last batch was, and when it ended
        self._taken = False  # whether some thread is gathering a batch or running one

    @property
    def preprocessing(self) -> Preprocessing:
        """Of the recognizer."""
        return self._recognizer.preprocessing

    @property
    def provider(self) -> str:
        """Of the recognizer."""
        return self._recognizer.provider

    @property
    def scene_encoder(self) -> str | None:
        """Of the recognizer."""
        return getattr(self._recognizer, "scene_encoder", None)

    def encode_scenes(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """By the recognizer."""
        return cast("ToldRecognizer", self._recognizer).encode_scenes(photos)

    def read(self, images: NDArray[np.float32], scenes: Scenes | None = None) -> list[Reading]:
        """Reads prepared crops (B, 3, H, W), with those of other threads; crops with scenes on their own."""
        check_deadline()
        if scenes is not None:
            return cast("ToldRecognizer", self._recognizer).read(images, scenes)
        mine = _Crops(images)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
            while mine.readings is None and mine.error is None:
                if self._taken:
                    self._changed.wait()
                    continue
                self._taken = True
                batch = self._gather()
                self._changed.release()
                try:
                    self._run(batch)
                finally:
                    self._changed.acquire()
                    self._taken, self._last = False, (len(batch), monotonic())
                    self._changed.notify_all()
        if mine.error is not None:
            raise mine.error
        return cast("list[Reading]", mine.readings)

    def _gather(self) -> list[_Crops]:
        """Crops of one shape that go together, those that came first, after waiting for company. Holds the lock."""
        start = monotonic()
        threads, ended = self._last
        expected = threads if start - ended < LONGEST else 1
        while sum(len(each.images) for each in self._waiting) < MOST:
            here = len(self._waiting)
            left = min(PATIENCE, start + LONGEST - monotonic())
            if here >= max(expected, self._company()) or left <= 0 or not self._wait_for_more(here, left):
                break
        batch, others, room = [self._waiting.popleft()], deque[_Crops](), MOST
        room -= len(batch[0].images)
        for each in self._waiting:
            fits = each.images.shape[1:] == batch[0].images.shape[1:] and len(each.images) <= room
            (batch if fits else others).append(each)
            room -= len(each.images) if fits else 0
        self._waiting = others
        return batch

    def _wait_for_more(self, here: int, seconds: float) -> bool:
        return self._changed.wait_for(lambda: len(self._waiting) > here, seconds)

    def _run(self, batch: list[_Crops]) -> None:
        try:
            self._read(batch)
        except Exception:  # one of them may be to blame: each on its own
            for each in batch:
                try:
                    self._read([each])
                except Exception as error:
                    each.error = error

    def _read(self, batch: list[_Crops]) -> None:
        images = [each.images for each in batch]
        crops = images[0] if len(images) == 1 else np.concatenate(images)
        self._metrics.batch.observe(len(crops))
        with self._metrics.stage("recognize"):
            readings = iter(self._recognizer.read(crops))
        for each in batch:
            each.readings = [next(readings) for _ in each.images]


class _Crops:
    """What one thread brings, and what it gets."""

    def __init__(self, images: NDArray[np.float32]) -> None:
        self.images = images
        self.readings: list[Reading] | None = None
        self.error: Exception | None = None
