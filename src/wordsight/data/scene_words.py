"""The words of photographs (`scenes.jsonl`) as a source of crops, each cut out when it is read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordsight.data.controls import CONTROLS, Mode, shuffled
from wordsight.data.links import SceneLink, SceneView, box_of
from wordsight.data.sample import Sample
from wordsight.data.scenes import Scene, SceneWord, decoded, read_scenes
from wordsight.errors import BoxError, ConfigError, DataError
from wordsight.imaging import rectify
from wordsight.imaging.geometry import word_height


def cut_word(
    scene: Scene, number: int, pixels: npt.NDArray[np.uint8], polygon: npt.NDArray[np.float64] | None = None
) -> Sample:
    """Word `number` cut out of the photograph `pixels`, along `polygon` if given, else along its label.

    Raises:
        DataError: the polygon encloses nothing.
    """
    word = scene.words[number]
    name = scene.id or scene.image.name
    try:
        crop = rectify(pixels, word.polygon if polygon is None else polygon)
    except BoxError as error:
        raise DataError(f"{scene.image}: word {number} of {name}: {error}") from error
    id = word.id or f"{name}#{number}"
    return Sample(id, crop, word.text, word.legible, word.script, scene.dataset, scene.split)


class ScenesSource:
    """The legible words of a `scenes.jsonl`, or of scenes, one by one, each cut out of its photograph when it is read.

    A photograph is decoded once for consecutive words, and each sample is linked to it (see `show`). With `jitter`
    above 0 every corner is shifted by a normal deviate of `jitter` times the word's height, a function of (seed, i),
    because detectors do not draw boxes as annotators do.

    Raises:
        DataError: as `read_scenes`.
    """

    def __init__(
        self, scenes: str | Path | Sequence[Scene], *, jitter: float = 0.0, seed: int = 0, dataset: str = ""
    ) -> None:
        folder = ""
        if isinstance(scenes, str | Path):
            path = Path(scenes)
            scenes, folder = read_scenes(path), (path if path.is_dir() else path.parent).resolve().name
        self.scenes = scenes
        named = {scene.dataset for scene in scenes}
        self.dataset = dataset or (named.pop() if len(named) == 1 else "") or folder
        self.words = [
            (s, w) for s, scene in enumerate(self.scenes) for w, word in enumerate(scene.words) if word.legible
        ]
        self._jitter = jitter
        self._seed = seed
        self.show("real")

    def show(self, mode: Mode, seed: int = 0) -> None:
        """From now on, link samples to what a control shows instead of their scenes; crops do not change.

        Raises:
            ConfigError: there is no such control, or only one scene to shuffle.
        """
        if mode not in CONTROLS:
            raise ConfigError(f"no control {mode!r}; there are {', '.join(CONTROLS)}")
        self._shown = mode, seed
        self._partners = shuffled(range(len(self.scenes)), seed) if mode == "shuffle" else None

    def _view(self, s: int, w: int) -> SceneView | None:
        mode, seed = self._shown
        if mode == "none":
            return None
        if self._partners is not None:
            return SceneView(self.scenes[self._partners[s]], 0)  # as it is: our word is not in it
        return SceneView(self.scenes[s], w, mode, seed)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def illegible(self) -> int:
        """Number of words that are left out as illegible."""
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
        scale = self._jitter * word_height(polygon)
        return polygon + np.random.default_rng((self._seed, i)).normal(0.0, scale, polygon.shape)

    def __getitem__(self, i: int) -> Sample:
        """Word i.

        Raises:
            DataError: its photograph cannot be decoded, or its polygon encloses nothing.
        """
        s, w = self.words[i]
        scene = self.scenes[s]
        pixels, polygon = decoded(scene), self.polygon(i)
        sample = cut_word(scene, w, pixels, polygon)
        link = SceneLink(scene, polygon, box_of(polygon, pixels), self._view(s, w))
        return replace(sample, dataset=scene.dataset or self.dataset, link=link)
