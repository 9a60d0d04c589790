"""Looks through a recognizer: in batches of equal width, long lines in windows."""

from collections.abc import Sequence
from typing import cast

from wordsight.decoding import Reading
from wordsight.imaging import batches
from wordsight.reading.parts import Recognizer, ToldRecognizer
from wordsight.reading.scenes import of_crops
from wordsight.reading.strips import Look
from wordsight.reading.windows import joined, windows


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
        told = cast(ToldRecognizer, recognizer)
        readings = recognizer.read(images) if scenes is None else told.read(images, scenes)
        for i, reading in zip(numbers, readings, strict=True):
            covered = spec.columns(*looks[i].pixels.shape[:2])
            out[i] = reading.widened(images.shape[3] / covered)
    return out
