"""Backgrounds from labelled scenes: parts of photographs in which nobody marked any text."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.data.scenes import Scene
from wordsight.errors import DataError
from wordsight.files import filling

_HEIGHTS = (64, 200)
_ASPECTS = (1.0, 4.0)
# Boxes of annotators are tight and sometimes a little off: stay this many pixels away.
_CLEARANCE = 6
_TRIES = 12


def cut_backgrounds(scenes: Iterable[Scene], out: str | Path, per_scene: int = 4, seed: int = 0) -> Iterator[int]:
    """Cuts patches that come near no polygon, illegible words included, out of photographs, and writes them as JPEG.

    A patch is 64 to 200 px high (smaller where the photograph is) and 1 to 4 times as wide. Scenes that label only
    some of their words give patches with text; leave those data sets out. Crowded photographs give fewer than
    `per_scene`. Yields the number of patches of each photograph.

    Raises:
        DataError: a picture is missing or damaged, or `out` cannot be written.
    """
    try:
        with filling(out) as folder:
            for number, scene in enumerate(scenes):
                image = scene.load()
                boxes = free_boxes(random.Random(f"{seed}/{number}"), scene, image.shape[1], image.shape[0], per_scene)
                for box in boxes:
                    picture = Image.fromarray(image).crop(box)
                    picture.save(folder / f"{number:05d}-{box[0]}-{box[1]}.jpg", quality=90)
                yield len(boxes)
    except OSError as error:
        file = error.filename or out
        raise DataError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error


def free_boxes(
    rng: random.Random, scene: Scene, width: int, height: int, wanted: int
) -> list[tuple[int, int, int, int]]:
    """Up to `wanted` random boxes (x0, y0, x1, y1) of a photograph of width x height that no word comes near to."""
    words = np.array([_bounds(word.polygon) for word in scene.words]).reshape(-1, 4)
    found: list[tuple[int, int, int, int]] = []
    for _ in range(wanted * _TRIES):
        high = min(rng.randint(*_HEIGHTS), height)
        wide = min(round(high * rng.uniform(*_ASPECTS)), width)
        x, y = rng.randint(0, width - wide), rng.randint(0, height - high)
        near = (words[:, 0] < x + wide) & (words[:, 2] > x) & (words[:, 1] < y + high) & (words[:, 3] > y)
        if not near.any():
            found.append((x, y, x + wide, y + high))
            if len(found) == wanted:
                break
    return found


def _bounds(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([polygon.min(0) - _CLEARANCE, polygon.max(0) + _CLEARANCE])
