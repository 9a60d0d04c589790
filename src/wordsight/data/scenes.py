"""Whole photographs with word polygons, and the files that list them (`scenes.jsonl`).

One JSON object a line:
{"image": "images/x.jpg", "words": [{"polygon": [[x, y], ...], "text": "...", "legible": true}]}
Polygons start at the text's top left, clockwise, in pixels of the upright image. A scene may also have "id", "dataset",
"split", and "at": [offset, length] where the image is a part of a larger file (`data.shards`); a word "script", "id".
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wordsight.errors import DataError, ImageError
from wordsight.files import read_regular, write_text
from wordsight.imaging import load_image

FAR = 1e6
"""Pixels. A corner farther out is a mistake: JPEG pictures have at most 65,535."""


@dataclass(frozen=True, eq=False)
class SceneWord:
    """A word in a scene: polygon float64 (N, 2) in pixels, its text, and whether it counts.

    `script` is its ISO 15924 code and `id` its name in the data set, both empty if unknown.
    """

    polygon: npt.NDArray[np.float64]
    text: str
    legible: bool
    script: str = ""
    id: str = ""


@dataclass(frozen=True, eq=False)
class Scene:
    """A photograph and the words that are labelled in it, illegible ones included.

    Attributes:
        image: its file.
        words: in the order of the data set.
        id: its name, unique in its data set and split.
        dataset: name of the data set; empty if unknown, like `split`.
        split: "train", "test", ...
        at: (offset, length) in bytes of the picture in `image`, if that file holds many of them.
        data: the bytes of the picture, if it was streamed; `image` is then only a name.
    """

    image: Path
    words: tuple[SceneWord, ...]
    id: str = ""
    dataset: str = ""
    split: str = ""
    at: tuple[int, int] | None = None
    data: bytes | None = None

    def read(self) -> bytes:
        """The encoded picture.

        Raises:
            DataError: its file cannot be read.
        """
        return read_file(self.image, at=self.at) if self.data is None else self.data

    @cached_property
    def digest(self) -> str:
        """Hash of the encoded picture, 32 hexadecimal digits; it is read once.

        Raises:
            DataError: its file cannot be read.
        """
        return hashlib.blake2b(self.read(), digest_size=16).hexdigest()

    def load(self) -> npt.NDArray[np.uint8]:
        """The photograph, uint8 RGB (H, W, 3).

        Raises:
            DataError: it is missing or cannot be decoded.
        """
        if self.at is None and self.data is None:
            return read_picture(self.image)
        return read_picture(self.read(), f"{self.image}: {self.id}")

    def as_json(self, folder: Path) -> dict[str, Any]:
        """The object for a line of a `scenes.jsonl` in `folder`, for `read_scenes`; empty fields are left out."""
        words = []
        for word in self.words:
            line: dict[str, Any] = {"polygon": _numbers(word.polygon), "text": word.text, "legible": word.legible}
            words.append(line | {k: v for k, v in (("script", word.script), ("id", word.id)) if v})
        named = (("id", self.id), ("dataset", self.dataset), ("split", self.split), ("at", self.at))
        return {"image": _relative(self.image, folder)} | {k: v for k, v in named if v} | {"words": words}


@lru_cache(maxsize=4)
def decoded(scene: Scene) -> npt.NDArray[np.uint8]:
    """`Scene.load`, with the last few pictures cached: consecutive words often share a photograph.

    Raises:
        DataError: it is missing or cannot be decoded.
    """
    return scene.load()


def _numbers(polygon: npt.NDArray[np.float64]) -> list[list[float]]:
    """Corners to a hundredth of a pixel, whole numbers as such."""
    return [[int(v) if v == int(v) else v for v in point] for point in np.round(polygon, 2).tolist()]


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()


def write_scenes(path: Path, scenes: Iterable[Scene]) -> None:
    """Writes a `scenes.jsonl`, all of it or nothing.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(scene.as_json(path.parent), ensure_ascii=False) + "\n" for scene in scenes)
        write_text(path, "".join(lines))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}): choose another folder") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: {error.object[:200]!r} is not in Unicode: give that file another name") from error


def scene_from_json(folder: Path, entry: Any, *, data: bytes | None = None) -> Scene:
    """The scene of a line of a `scenes.jsonl` in `folder`.

    Raises:
        ValueError, LookupError, TypeError, OverflowError: it is not a scene.
    """
    words = []
    for word in entry["words"]:
        polygon = np.asarray(word["polygon"], dtype=np.float64)
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 4 or not (np.abs(polygon) <= FAR).all():
            raise ValueError(f"polygon {word['polygon']} is not four or more [x, y] points of a picture")
        words.append(
            SceneWord(
                polygon,
                _unicode(word["text"]),
                bool(word.get("legible", True)),
                _unicode(word.get("script", "")),
                _unicode(word.get("id", "")),
            )
        )
    if not isinstance(entry["image"], str):
        raise TypeError("image is not the name of a file")
    image = folder / _unicode(entry["image"])
    offset = entry.get("at")
    return Scene(
        image,
        tuple(words),
        _unicode(entry.get("id", image.name)),
        _unicode(entry.get("dataset", "")),
        _unicode(entry.get("split", "")),
        _place(offset) if offset else None,
        data,
    )


def _unicode(value: Any) -> str:
    """As text, without lone surrogates, which JSON can escape but no file can hold."""
    text = str(value)
    text.encode()
    return text


def _place(offset: Any) -> tuple[int, int]:
    start, length = int(offset[0]), int(offset[1])
    if not (0 <= start < 1 << 63 and 0 <= length < 1 << 63):
        raise ValueError(f"at {offset} is not a position in a file")
    return start, length


def read_file(path: str | Path, limit: int = 1 << 30, at: tuple[int, int] | None = None) -> bytes:
    """As `files.read_regular`.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return read_regular(path, limit, at)
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}): check the path") from error


def read_picture(source: Path | bytes, name: str | None = None) -> npt.NDArray[np.uint8]:
    """As `imaging.load_image`, uint8 RGB (H, W, 3).

    Raises:
        DataError: it is missing or cannot be decoded.
    """
    try:
        return load_image(source, name=name)
    except ImageError as error:
        raise DataError(str(error)) from error


def read_text(path: Path) -> str:
    """A text file as UTF-8, with or without a byte order mark.

    Raises:
        DataError: it cannot be opened or is not UTF-8.
    """
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8: convert the file to UTF-8") from error


def read_scenes(path: str | Path) -> list[Scene]:
    """The scenes of `path`, a folder with `scenes.jsonl` or that file; no image is opened.

    Raises:
        DataError: the file cannot be read, or a line is not a scene.
    """
    path = Path(path)
    file = path / "scenes.jsonl" if path.is_dir() else path
    scenes = []
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            scenes.append(scene_from_json(file.parent, json.loads(line)))
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{file}: line {number} is not a scene ({type(error).__name__}: {error})") from error
    return scenes
