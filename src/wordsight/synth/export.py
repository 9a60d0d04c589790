"""Writing rendered words to a folder that every reader of `labels.tsv` understands."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from PIL import Image, ImageDraw

from wordsight.errors import DataError
from wordsight.files import filling
from wordsight.synth import workers as processes
from wordsight.synth.words import RenderedWords

_CHUNK = 50
SHEET_CROPS = 400
"""How many crops the contact sheet shows."""


def write_words(source: RenderedWords, out: str | Path, count: int, workers: int = 1) -> Iterator[int]:
    """Writes samples 0 to `count` - 1 as JPEG (quality 95) with `labels.tsv` and `contact-sheet.png`.

    The pictures are the same for every number of `workers` (processes). Yields how many are done, after every few. What
    the folder held stays until all are there.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        with filling(out, last="labels.tsv") as folder:
            (folder / "images").mkdir()
            labels = []
            for chunk in _written(source, folder, count, workers):
                labels += chunk
                yield len(labels)
            lines = "".join(f"{name}\t{text}\n" for name, text in labels)
            (folder / "labels.tsv").write_text(lines, encoding="utf-8", newline="\n")
            contact_sheet(folder, labels[:SHEET_CROPS]).save(folder / "contact-sheet.png")
    except OSError as error:
        file = error.filename or out
        raise DataError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error


def _written(source: RenderedWords, folder: Path, count: int, workers: int) -> Iterator[list[tuple[str, str]]]:
    starts = range(0, count, _CHUNK)
    if workers <= 1:
        for start in starts:
            yield _write_chunk(source, folder, start, min(start + _CHUNK, count))
        return
    # spawn: forked processes inherit the locks of threads that do not exist in them.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (source, folder)) as pool:
        yield from pool.map(_work, starts, [min(start + _CHUNK, count) for start in starts])


_given: list[tuple[RenderedWords, Path]] = []  # what a worker process was started with


def _start(source: RenderedWords, folder: Path) -> None:
    processes.start()
    _given.append((source, folder))


def _work(start: int, end: int) -> list[tuple[str, str]]:
    return _write_chunk(*_given[-1], start, end)


def _write_chunk(source: RenderedWords, folder: Path, start: int, end: int) -> list[tuple[str, str]]:
    labels = []
    for i, sample in enumerate(source.many(range(start, end)), start):
        name = f"images/{i:07d}.jpg"
        Image.fromarray(sample.image).save(folder / name, quality=95, subsampling=0)
        labels.append((name, sample.text))
    return labels


def contact_sheet(folder: Path, labels: list[tuple[str, str]]) -> Image.Image:
    """A picture of the crops in rows of twenty, each with its label below."""
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
