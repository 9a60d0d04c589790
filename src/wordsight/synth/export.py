"""Writing rendered words and scenes as data sets, and cutting backgrounds out of photographs."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from wordsight.data.folder import filling_data_set
from wordsight.data.scenes import Scene
from wordsight.data.scenes import write_scenes as list_scenes
from wordsight.files import replacing
from wordsight.parallel import in_order
from wordsight.synth.lines import RenderedLines
from wordsight.synth.scene import render_scene

_CHUNK = 50
_SHEET_CROPS = 400  # on the contact sheet

# Of patches without text, pixels.
_HEIGHTS = (64, 200)
_ASPECTS = (1.0, 4.0)
_CLEARANCE = 6  # annotators' boxes are tight and sometimes slightly off
_TRIES = 12


def write_words(source: RenderedLines, out: str | Path, count: int, workers: int = 1) -> Iterator[int]:
    """Writes samples 0 to `count` - 1 as JPEG (quality 95) with `labels.tsv` and `contact-sheet.png`.

    The pictures do not depend on the number of `workers` (processes). Yields the number done so far, once in a while.
    The previous content of the folder is replaced only at the end.

    Raises:
        DataError: the folder cannot be written.
    """
    with filling_data_set(out, last="labels.tsv") as folder:
        (folder / "images").mkdir()
        labels: list[tuple[str, str]] = []
        chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
        for chunk in in_order(partial(_writer, source, folder), chunks, workers):
            labels += chunk
            yield len(labels)
        lines = "".join(f"{name}\t{text}\n" for name, text in labels)
        (folder / "labels.tsv").write_text(lines, encoding="utf-8", newline="\n")
        contact_sheet(folder, labels[:_SHEET_CROPS]).save(folder / "contact-sheet.png")


def _writer(source: RenderedLines, folder: Path) -> Callable[[range], list[tuple[str, str]]]:
    """What writes the pictures of some samples, and returns their names and labels."""

    def write(numbers: range) -> list[tuple[str, str]]:
        labels = []
        for i, sample in zip(numbers, source.many(numbers), strict=True):
            name = f"images/{i:07d}.jpg"
            Image.fromarray(sample.image).save(folder / name, quality=95, subsampling=0)
            labels.append((name, sample.text))
        return labels

    return write


def contact_sheet(folder: Path, labels: list[tuple[str, str]]) -> Image.Image:
    """A picture of crops in rows of twenty, each with its label below."""
    columns, wide, high = 20, 130, 56
    sheet = Image.new("RGB", (columns * wide, max(1, -(-len(labels) // columns)) * high), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (name, text) in enumerate(labels):
        x, y = k % columns * wide, k // columns * high
        with Image.open(folder / name) as crop:
            scale = min((wide - 6) / crop.width, (high - 18) / crop.height)
            size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
            sheet.paste(crop.resize(size, Image.Resampling.BICUBIC), (x, y))
        draw.text((x, y + high - 16), text[:21] or "(no text)", fill="black" if text else "grey")
    return sheet


def write_scenes(
    out: str | Path, count: int, seed: int = 0, fonts: Sequence[str | Path] | None = None
) -> Iterator[int]:
    """Writes streets as PNG with `scenes.jsonl`; scene i has seed + i. Yields the number of words of each.

    Raises:
        DataError: the folder cannot be written, or `fonts` has no usable font.
    """
    with filling_data_set(out, last="scenes.jsonl") as folder:
        scenes = []
        for i in range(count):
            rendered = render_scene(seed + i, fonts)
            scenes.append(Scene(folder / f"{i}.png", rendered.words))
            with replacing(scenes[-1].image) as file:  # names the file if the disk is full
                Image.fromarray(rendered.image).save(file, optimize=True)
            yield len(rendered.words)
        list_scenes(folder / "scenes.jsonl", scenes)


def cut_backgrounds(scenes: Iterable[Scene], out: str | Path, per_scene: int = 4, seed: int = 0) -> Iterator[int]:
    """Cuts patches away from all polygons, illegible words included, out of photographs, and writes them as JPEG.

    A patch is 64 to 200 px high (less if the photograph is smaller) and 1 to 4 times as wide. Data sets that label only
    some of their words are not suitable. Crowded photographs give fewer than `per_scene` patches. Yields the number of
    patches of each photograph.

    Raises:
        DataError: a picture is missing or damaged, or `out` cannot be written.
    """
    with filling_data_set(out) as folder:
        for number, scene in enumerate(scenes):
            image = scene.load()
            boxes = free_boxes(random.Random(f"{seed}/{number}"), scene, image.shape[1], image.shape[0], per_scene)
            for box in boxes:
                picture = Image.fromarray(image).crop(box)
                picture.save(folder / f"{number:05d}-{box[0]}-{box[1]}.jpg", quality=90)
            yield len(boxes)


def free_boxes(
    rng: random.Random, scene: Scene, width: int, height: int, wanted: int
) -> list[tuple[int, int, int, int]]:
    """Up to `wanted` random boxes (x0, y0, x1, y1), away from all words, in a photograph of width x height."""
    corners = [(word.polygon.min(0) - _CLEARANCE, word.polygon.max(0) + _CLEARANCE) for word in scene.words]
    words = np.array(corners).reshape(-1, 4)
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
