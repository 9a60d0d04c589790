"""Pseudo-labels: unlabelled words that several readers read alike (after arXiv 2103.04400)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data.folder import filling_data_set
from wordsight.data.scenes import Scene

_LEAST_SIDE = 8  # pixels, of a crop's height and width

Readers: TypeAlias = Sequence[Callable[[list[npt.NDArray[np.uint8]]], Sequence[tuple[str, float]]]]
"""Each takes crops, uint8 RGB (h, w, 3), and returns the text and the confidence, 0 to 1, of each."""


def pseudo_label(scenes: Iterable[Scene], readers: Readers, out: str | Path, least: float = 0.6) -> Iterator[int]:
    """Cuts words that are marked illegible out of photographs, and writes those that all readers read alike.

    Annotators leave out much that can be read: small, partly hidden or uninteresting words. Words are cut along upright
    boxes into `out` as JPEG (quality 95) with `labels.tsv`. The first reader gives the label, with a confidence of at
    least `least`; the others have to read the same, ignoring case. Yields the number of labels of each scene. The
    previous content of the folder is replaced only at the end.

    Raises:
        DataError: a picture is missing or damaged, or `out` cannot be written.
    """
    labels: list[str] = []
    with filling_data_set(out, last="labels.tsv") as folder:
        for number, scene in enumerate(scenes):
            before = len(labels)
            for word, crop, text in _labelled(scene, readers, least):
                name = f"{number:05d}-{word:03d}.jpg"
                Image.fromarray(crop).save(folder / name, quality=95, subsampling=0)
                labels.append(f"{name}\t{text}\n")
            yield len(labels) - before
        (folder / "labels.tsv").write_text("".join(labels), encoding="utf-8", newline="\n")


def _labelled(scene: Scene, readers: Readers, least: float) -> Iterator[tuple[int, npt.NDArray[np.uint8], str]]:
    """Number, crop and label of every word that gets one."""
    illegible = [i for i, word in enumerate(scene.words) if not word.legible]
    if not illegible:
        return
    pixels = scene.load()
    crops = {}
    for i in illegible:
        polygon = scene.words[i].polygon
        x0, y0 = np.maximum(polygon.min(axis=0), 0).astype(int)
        x1, y1 = np.maximum(polygon.max(axis=0), 0).astype(int)
        crop = pixels[y0 : y1 + 1, x0 : x1 + 1]
        if min(crop.shape[:2]) >= _LEAST_SIDE:
            crops[i] = crop
    first, *others = (read([*crops.values()]) for read in readers)
    for (i, crop), (text, confidence), *checks in zip(crops.items(), first, *others, strict=True):
        if text and confidence >= least and all(check.casefold() == text.casefold() for check, _ in checks):
            yield i, crop, text
