"""Writing rendered scenes to a folder that every reader of `scenes.jsonl` understands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from PIL import Image

from wordsight.data.scenes import Scene, write_scenes
from wordsight.errors import DataError
from wordsight.files import filling, replacing
from wordsight.parallel import in_order

_CHUNK = 20
_COLUMNS, _WIDE = 4, 300  # of a sheet: scenes in a row, and pixels for each


class Rendered(Protocol):
    """Scenes that are rendered when they are asked for. Picklable."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    @property
    def vocabularies(self) -> Mapping[str, tuple[str, ...]]:
        """The words of every place."""
        ...

    def __len__(self) -> int:
        """How many."""
        ...

    def place(self, i: int, /) -> str:
        """Where scene i is."""
        ...

    def __getitem__(self, i: int, /) -> Scene:
        """Scene i, its picture in memory."""
        ...


def write_places(source: Rendered, out: str | Path, workers: int = 1) -> Iterator[int]:
    """Writes all scenes of `source` as a folder of JPEGs with `scenes.jsonl`; yields how many are done, now and then.

    The pictures are the same for every number of `workers` (processes). What the folder held stays until all are there.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        with filling(out, last="scenes.jsonl") as folder:
            (folder / "images").mkdir()
            chunks = [range(k, min(k + _CHUNK, len(source))) for k in range(0, len(source), _CHUNK)]
            scenes: list[Scene] = []
            for done in in_order(partial(_writer, source, folder), chunks, workers):
                scenes += done
                yield len(scenes)
            write_scenes(folder / "scenes.jsonl", scenes)
    except OSError as error:
        file = error.filename or out
        raise DataError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error


def write_sheet(source: Rendered, path: str | Path) -> None:
    """Writes a picture of the first scenes, up to four of a place, a place a row; the format by the path's ending.

    Raises:
        DataError: it cannot be written.
    """
    rows: dict[str, list[int]] = {place: [] for place in source.vocabularies}
    for i in range(min(len(source), 200)):
        rows[source.place(i)].append(i)
    width, height = _WIDE, round(_WIDE * source.size[1] / source.size[0])
    sheet = Image.new("RGB", (_COLUMNS * width, len(rows) * height), "white")
    for y, numbers in enumerate(rows.values()):
        for x, i in enumerate(numbers[:_COLUMNS]):
            scene = Image.fromarray(source[i].load())
            sheet.paste(scene.resize((width, height), Image.Resampling.BICUBIC), (x * width, y * height))
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new:
            sheet.save(new)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({error}); choose another --sheet") from error


def _writer(source: Rendered, folder: Path) -> Callable[[range], list[Scene]]:
    def write(numbers: range) -> list[Scene]:
        scenes = []
        for i in numbers:
            scene = source[i]
            path = folder / scene.image
            path.write_bytes(scene.read())
            scenes.append(replace(scene, image=path, data=None))
        return scenes

    return write
