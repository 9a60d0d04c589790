"""Milliseconds per word: the recognizer alone, with scene tokens at hand, and with the scene still to be encoded."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from wordsight.data.links import Pixels
from wordsight.experiments.context.data import Words
from wordsight.imaging import prepare
from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.reading import TorchRecognizer

WORDS_PER_IMAGE = (1, 4, 32, 100)
_REPEATS = 5


def speed(model: Any, words: Words, encoder: SceneEncoder | None) -> dict[str, dict[str, float]]:
    """By words per image: ms per word "alone", "cached" and "cold", medians of five; the last two with an encoder.

    Words are prepared beforehand, the scene is decoded beforehand; its resizing is in "cold".
    """
    recognizer = TorchRecognizer(model)
    scene: Pixels = words.scenes[0].load()
    out: dict[str, dict[str, float]] = {}
    for count in WORDS_PER_IMAGE:
        rows = [i % len(words) for i in range(count)]
        images = prepare([words.crops[i] for i in rows], model.cfg.preprocessing)
        ways: dict[str, Callable[[], Any]] = {"alone": lambda images=images: recognizer.read(images)}  # type: ignore[misc]
        if encoder is not None:
            context = _context(encoder, scene, words, rows)
            ways["cached"] = lambda images=images, context=context: recognizer.read(images, context)  # type: ignore[misc]
            ways["cold"] = lambda images=images, rows=rows: recognizer.read(  # type: ignore[misc]
                images, _context(encoder, scene, words, rows)
            )
        out[str(count)] = {name: round(_milliseconds(way) / count, 3) for name, way in ways.items()}
    return out


def _context(encoder: SceneEncoder, scene: Pixels, words: Words, rows: list[int]) -> SceneContext:
    boxes = torch.from_numpy(words.boxes[rows])
    index = torch.zeros(len(rows), dtype=torch.int64)
    return SceneContext(encoder.encode([scene]), index, torch.ones(len(rows)), boxes)


def _milliseconds(way: Callable[[], Any]) -> float:
    way()
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        way()
        times.append(1000 * (time.perf_counter() - began))
    return median(times)
