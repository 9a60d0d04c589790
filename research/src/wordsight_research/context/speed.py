"""Milliseconds per word: the recognizer alone, with scene tokens at hand, and with the scene still to be encoded.

Arms take turns, so that what else a machine does falls on all of them alike. Nothing is kept: a time belongs to the
hour in which it was measured.
"""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from wordsight.data.links import Pixels
from wordsight.imaging import prepare
from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.reading import TorchRecognizer
from wordsight_research.context.data import Words

WORDS_PER_IMAGE = (1, 4, 32, 100)
_REPEATS = 9

Way: TypeAlias = Callable[[], Any]
Times: TypeAlias = dict[str, dict[str, tuple[float, float, float]]]
"""By words per image and way: lower quartile, median, upper quartile."""


@dataclass(frozen=True)
class Timed:
    """What is timed: a model, the words that it reads, and what encodes their scene, if it takes one."""

    model: Any
    words: Words
    encoder: SceneEncoder | None


def speeds(arms: Mapping[str, Timed]) -> dict[str, Times]:
    """ms per word "alone", "cached" and "cold" of every arm, in turns; the last two with an encoder.

    Words are prepared beforehand, the scene is decoded beforehand; its resizing is in "cold".
    """
    ways = {(name, count, way): run for name, arm in arms.items() for count, way, run in _ways(arm)}
    for run in ways.values():
        run()
    seen: dict[tuple[str, int, str], list[float]] = {key: [] for key in ways}
    for _ in range(_REPEATS):
        for key, run in ways.items():
            began = time.perf_counter()
            run()
            seen[key].append(1000 * (time.perf_counter() - began) / key[1])
    out: dict[str, Times] = {name: {} for name in arms}
    for (name, count, way), times in seen.items():
        low, middle, high = (round(float(x), 3) for x in np.percentile(times, [25, 50, 75]))
        out[name].setdefault(str(count), {})[way] = low, middle, high
    return out


def machine() -> str:
    """On what times are measured: processor and threads."""
    name = platform.processor() or platform.machine()
    listed = Path("/proc/cpuinfo")
    if listed.is_file():  # where the former says x86_64
        found = (line.partition(":")[2].strip() for line in listed.read_text().splitlines() if "model name" in line)
        name = next(found, name)
    return f"{name}, {torch.get_num_threads()} threads of PyTorch"


def _ways(arm: Timed) -> list[tuple[int, str, Way]]:
    recognizer, words, encoder = TorchRecognizer(arm.model), arm.words, arm.encoder
    scene: Pixels = words.scenes[0].load()
    out: list[tuple[int, str, Way]] = []
    for count in WORDS_PER_IMAGE:
        rows = [i % len(words) for i in range(count)]
        images = prepare([words.crops[i] for i in rows], arm.model.cfg.preprocessing)
        out.append((count, "alone", lambda images=images: recognizer.read(images)))  # type: ignore[misc]
        if encoder is None:
            continue
        known = _context(encoder, scene, words, rows)
        out.append((count, "cached", lambda images=images, known=known: recognizer.read(images, known)))  # type: ignore[misc]

        def cold(images: Any = images, rows: list[int] = rows, encoder: SceneEncoder = encoder) -> Any:
            return recognizer.read(images, _context(encoder, scene, words, rows))

        out.append((count, "cold", cold))
    return out


def _context(encoder: SceneEncoder, scene: Pixels, words: Words, rows: list[int]) -> SceneContext:
    boxes = torch.from_numpy(words.boxes[rows])
    index = torch.zeros(len(rows), dtype=torch.int64)
    return SceneContext(encoder.encode([scene]), index, torch.ones(len(rows)), boxes)
