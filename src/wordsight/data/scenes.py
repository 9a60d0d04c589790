"""Whole photographs with word polygons (`scenes.jsonl`), and the word crops cut from them when they are read.

One JSON object a line:
{"image": "images/x.jpg", "words": [{"polygon": [[x, y], ...], "text": "...", "legible": true}]}
Polygons start at the text's top left, clockwise, in pixels of the upright image.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wordsight.data.folder import read_text
from wordsight.data.sample import Sample
from wordsight.errors import BoxError, DataError, ImageError
from wordsight.imaging import load_image, rectify


@dataclass(frozen=True, eq=False)
class SceneWord:
    """A word in a scene: polygon float64 (N, 2) in pixels, its text, and whether it counts."""

    polygon: npt.NDArray[np.float64]
    text: str
    legible: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """A photograph and the words that are labelled in it, illegible ones included."""

    image: Path
    words: tuple[SceneWord, ...]

    def load(self) -> npt.NDArray[np.uint8]:
        """The photograph, uint8 RGB (H, W, 3).

        Raises:
            DataError: it is missing or cannot be decoded.
        """
        try:
            return load_image(self.image)
        except ImageError as error:
            raise DataError(str(error)) from error


def _scene(folder: Path, entry: Any) -> Scene:
    words = []
    for word in entry["words"]:
        polygon = np.asarray(word["polygon"], dtype=np.float64)
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 4 or not np.isfinite(polygon).all():
            raise ValueError(f"polygon {word['polygon']} is not four or more [x, y] points")
        words.append(SceneWord(polygon, str(word["text"]), bool(word.get("legible", True))))
    return Scene(folder / entry["image"], tuple(words))


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
            scenes.append(_scene(file.parent, json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}: line {number} is not a scene ({type(error).__name__}: {error})") from error
    return scenes


class ScenesSource:
    """The legible words of a `scenes.jsonl`, scene by scene, each cut out of its photograph when it is read.

    A photograph is decoded once for consecutive words of it. With `jitter` above 0 every corner moves by a normal
    shift of `jitter` times the word's height, a function of (seed, i): detectors do not draw boxes like annotators.

    Raises:
        DataError: as `read_scenes`.
    """

    def __init__(
        self, path: str | Path, *, jitter: float = 0.0, seed: int = 0, dataset: str = "", split: str = ""
    ) -> None:
        path = Path(path)
        self.dataset = dataset or (path if path.is_dir() else path.parent).resolve().name
        self.split = split
        self.scenes = read_scenes(path)
        self.words = [
            (s, w) for s, scene in enumerate(self.scenes) for w, word in enumerate(scene.words) if word.legible
        ]
        self._jitter = jitter
        self._seed = seed
        self._decoded: tuple[int, npt.NDArray[np.uint8]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoded": None}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def illegible(self) -> int:
        """Number of words that are left out because nobody can read them."""
        return sum(not word.legible for scene in self.scenes for word in scene.words)

    def _word(self, i: int) -> SceneWord:
        s, w = self.words[i]
        return self.scenes[s].words[w]

    def text(self, i: int) -> str:
        """Label of word i."""
        return self._word(i).text

    def polygon(self, i: int) -> npt.NDArray[np.float64]:
        """Polygon of word i as it is cut, jitter included: float64 (N, 2), pixels of its scene."""
        polygon = self._word(i).polygon
        if self._jitter <= 0:
            return polygon
        height = (
            np.linalg.norm(polygon[0] - polygon[-1])
            + np.linalg.norm(polygon[len(polygon) // 2 - 1] - polygon[len(polygon) // 2])
        ) / 2
        shift = np.random.default_rng((self._seed, i)).normal(0.0, self._jitter * float(height), polygon.shape)
        return polygon + shift

    def __getitem__(self, i: int) -> Sample:
        """Word i.

        Raises:
            DataError: its photograph cannot be decoded, or its polygon encloses nothing.
        """
        s, w = self.words[i]
        scene = self.scenes[s]
        # One local reference, so that threads that share the source at worst decode twice.
        decoded = self._decoded
        if decoded is None or decoded[0] != s:
            decoded = self._decoded = (s, scene.load())
        try:
            crop = rectify(decoded[1], self.polygon(i))
        except BoxError as error:
            raise DataError(f"{scene.image}: word {w}: {error}") from error
        return Sample(f"{scene.image.name}#{w}", crop, scene.words[w].text, dataset=self.dataset, split=self.split)
