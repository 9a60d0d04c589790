"""Words that a detector finds in test scenes, to be read end to end."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from wordsight.data.links import Pixels, Polygon, box_of
from wordsight.data.scenes import Scene
from wordsight.errors import BoxError
from wordsight.evaluate import Found, Truth
from wordsight.imaging import rectify
from wordsight_research.context.data import Words

Find: TypeAlias = Callable[[Pixels], Sequence[Polygon]]


def detected(scenes: Sequence[Scene], find: Find, file: Path) -> Words:
    """Crops of what is found in scenes, with empty labels; polygons are kept in `file` for the next time.

    Raises:
        DataError: a photograph is missing or broken.
    """
    kept: list[list[list[list[float]]]] | None = json.loads(file.read_text()) if file.is_file() else None
    polygons = []
    crops, owners, boxes, of = [], [], [], []
    for number, scene in enumerate(scenes):
        pixels = scene.load()
        found = [np.asarray(p, dtype=np.float64) for p in (find(pixels) if kept is None else kept[number])]
        usable = []
        for polygon in found:
            try:
                crop = rectify(pixels, polygon)
            except BoxError:
                continue
            usable.append(polygon)
            crops.append(crop)
            owners.append(scene)
            boxes.append(box_of(polygon, pixels))
            of.append(number)
        polygons.append([polygon.round(2).tolist() for polygon in usable])
    if kept is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(polygons))
    flat = [np.asarray(p, dtype=np.float64) for scene in polygons for p in scene]
    count = len(crops)
    return Words(
        crops,
        [""] * count,
        owners,
        np.zeros(count, np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(of, np.int64),
        np.zeros(count, bool),
        tuple(flat),
    )


def pairs_of(words: Words, texts: Sequence[str], scenes: Sequence[Scene]) -> list[tuple[list[Truth], list[Found]]]:
    """The labels of every scene and the words found and read there, for `score_spotting`."""
    found: list[list[Found]] = [[] for _ in scenes]
    for of, polygon, text in zip(words.of.tolist(), words.polygons, texts, strict=True):
        found[of].append(Found(polygon, text))
    truths = [[Truth(word.polygon, word.text, word.legible) for word in scene.words] for scene in scenes]
    return list(zip(truths, found, strict=True))
