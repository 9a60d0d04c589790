"""Strips through a recognizer: in batches of equal width, long lines in windows, lines word by word if need be."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import cast

from wordsight.decoding import Reading
from wordsight.imaging import batches
from wordsight.reading.angles import Angles, all_angles, as_it_lies, as_seen, for_lines, softened
from wordsight.reading.lines import Attempt, Turn, read_by_words, read_strips
from wordsight.reading.parts import Recognizer, SceneConditioned
from wordsight.reading.scenes import of_crops
from wordsight.reading.strips import Look, Strip
from wordsight.reading.windows import joined, windows


class StripReader:
    """Reads strips by a recognizer of lines, or by one of words with the help of one of lines.

    Args:
        recognizer: of lines or of words.
        lines: gives one of lines, where `recognizer` is not. Called when the first line comes.
        batch_size: how many looks go through them at a time. It does not change the results.
        whole: whether a recognizer of words is shown lines whole, too: what it is constrained to may have spaces.
        tta: test-time augmentation: whether doubtful strips are read from all angles.
    """

    def __init__(
        self, recognizer: Recognizer, lines: Callable[[], Recognizer], batch_size: int, *, whole: bool, tta: bool
    ) -> None:
        self._recognizer = recognizer
        self._lines = cache(lines)
        self._batch_size = batch_size
        self._whole = whole or reads_lines(recognizer)
        self.tta = tta
        self._angles: Angles = all_angles if tta else as_seen
        self._lies: Angles = as_it_lies
        if reads_lines(recognizer):
            self._angles, self._lies = for_lines(self._angles), softened

    def read(self, strips: Sequence[Strip], *, turn: Turn = "no", angles: bool = False) -> list[Attempt]:
        """Each strip as it is read most surely.

        Args:
            strips: boxes as the picture shows them.
            turn: which doubtful ones may be upside down.
            angles: whether their text may climb, fall or slant. A detector's lines lie along their text.
        """
        seen = self._angles if angles else self._lies
        if self._whole:
            return read_strips(strips, self._read, turn=turn, angles=seen)
        return read_by_words(strips, self._read, self._find, turn=turn, angles=seen)

    def _read(self, looks: list[Look]) -> list[Reading]:
        return recognize(self._recognizer, looks, self._batch_size)

    def _find(self, looks: list[Look]) -> list[Reading]:
        return recognize(self._lines(), [replace(look, scene=None) for look in looks], self._batch_size)


def reads_lines(recognizer: Recognizer) -> bool:
    """Whether it takes pictures of any width, so that a line is one of them."""
    return recognizer.preprocessing.width is None


def recognize(recognizer: Recognizer, looks: Sequence[Look], batch_size: int) -> list[Reading]:
    """What each look shows. Places are shares of the look's width.

    Args:
        recognizer: of words or of lines.
        looks: pictures of one word or line each.
        batch_size: how many go through it at a time. It does not change the results.
    """
    if not reads_lines(recognizer):
        return _in_batches(recognizer, looks, batch_size)
    spans = [windows(*look.pixels.shape[:2]) for look in looks]
    parts = [look.part(span) for look, its_spans in zip(looks, spans, strict=True) for span in its_spans]
    readings = iter(_in_batches(recognizer, parts, batch_size))
    return [
        joined([next(readings) for _ in its_spans], its_spans, look.pixels.shape[1])
        for look, its_spans in zip(looks, spans, strict=True)
    ]


def _in_batches(recognizer: Recognizer, looks: Sequence[Look], batch_size: int) -> list[Reading]:
    spec = recognizer.preprocessing
    out = [Reading("", 0.0)] * len(looks)
    for numbers, images in batches([look.pixels for look in looks], spec, batch_size):
        scenes = of_crops([looks[i].scene for i in numbers])
        conditioned = cast(SceneConditioned, recognizer)
        readings = recognizer.read(images) if scenes is None else conditioned.read(images, scenes)
        for i, reading in zip(numbers, readings, strict=True):
            covered = spec.columns(*looks[i].pixels.shape[:2])
            out[i] = reading.widened(images.shape[3] / covered)
    return out
