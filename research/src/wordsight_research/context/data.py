"""The words in scenes that an experiment trains on and reads: rendered ones, or those of the user's photographs."""

import hashlib
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data import Sample
from wordsight.data.mixing import scene_order
from wordsight.data.scene_words import ScenesSource
from wordsight.data.scenes import Scene
from wordsight.errors import ConfigError, DataError
from wordsight_research.places.export import write_places
from wordsight_research.places.pages import RenderedPages
from wordsight_research.places.scenes import RenderedScenes
from wordsight_research.places.words import WORDS, one_word_each

Ids: TypeAlias = npt.NDArray[np.int64]

SEEDS = {"train": 0, "test": 1, "encoder": 2}
"""Of rendered scenes: those that are trained on, those that are read, those that the scene encoder learns from."""

OWN_LETTERS = "own letters"
"""Instead of the name of a script: a real set's recognizers write the characters of its training labels."""

STREET: dict[str, tuple[str, ...] | None] = {"rendered": ("road", "station", "garage", "market"), "svt": None}
"""What stands outdoors: these places of rendered scenes; None, all of a set (SVT is Street View). Others do not."""

_SCENES_PER_PAGE = 10
"""Pages for the price of scenes: one has about 120 words, a scene four or five; pages want to be several."""

_TALLEST = 64
"""Crops are kept at most this high: what recognizers take is lower."""


@dataclass(frozen=True)
class Source:
    """Where words in scenes come from.

    Attributes:
        name: "rendered", or a real set: a folder `train/NAME`, and `test/NAME` where there is one, of the user's.
        dial: how much a rendered scene reveals about its words, 0 to 1.
        unseen: share of the vocabulary of rendered scenes whose words are never trained on: the test's OOV words.
        share: of the training scenes that are used.
        per_scene: words of a training scene that are used, at most; None for all.
        most: training words that are used, at most, scene by scene; None for all.
        blank: boards of rendered scenes are empty, and each place has one word: only the scene reveals it.
        script: rendered words are written in this script, letter by letter; "" leaves them as they are. Of real sets
            `OWN_LETTERS`: words of any script, counted by the recognizer's charset instead of protocol 36.
        layout: "scene", or "document": pages of lines.
    """

    name: str = "rendered"
    dial: float = 1.0
    unseen: float = 0.2
    share: float = 1.0
    per_scene: int | None = None
    most: int | None = None
    blank: bool = False
    script: str = ""
    layout: str = "scene"

    @property
    def rendered(self) -> bool:
        """Whether it is available without data."""
        return self.name == "rendered"


@dataclass(frozen=True, eq=False)
class Words:
    """Crops, with what is written on them and where they were cut.

    Attributes:
        crops: uint8 RGB (H, W, 3), at most 64 high.
        labels: as they are given.
        scenes: that of each word.
        numbers: (n,) which of its scene's words it is.
        boxes: (n, 4) float32, see `SceneContext`.
        of: (n,) numbers of the scenes, counted from 0.
        street: (n,) which of them stand outdoors, as far as `STREET` knows.
        polygons: where they were found, of words that a detector found.
    """

    crops: list[npt.NDArray[np.uint8]]
    labels: list[str]
    scenes: list[Scene]
    numbers: Ids
    boxes: npt.NDArray[np.float32]
    of: Ids
    street: npt.NDArray[np.bool_]
    polygons: tuple[npt.NDArray[np.float64], ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Iterable[int]) -> "Words":
        """Some of them."""
        rows = [int(i) for i in rows]
        return Words(
            [self.crops[i] for i in rows],
            [self.labels[i] for i in rows],
            [self.scenes[i] for i in rows],
            self.numbers[rows],
            self.boxes[rows],
            self.of[rows],
            self.street[rows],
        )

    @property
    def all_words(self) -> list[tuple[int, str]]:
        """(number of the scene, text) of all legible words in these scenes, also those that are not among the words."""
        scenes = dict(zip(self.of.tolist(), self.scenes, strict=True))
        return [(of, word.text) for of, scene in scenes.items() for word in scene.words if word.legible]


def place(scene: Scene) -> str:
    """What a rendered scene shows ("cafe"): the end of its id."""
    return scene.id.rpartition("-")[2]


def from_source(source: ScenesSource) -> Words:
    """All words of a `scenes.jsonl`, cut.

    Raises:
        DataError: a photograph is missing or broken.
    """
    crops, labels, scenes, numbers, boxes = [], [], [], [], []
    for i, (of, number) in enumerate(source.words):
        scene = source.scenes[of]
        try:
            sample: Sample | None = source[i]
        except DataError as error:
            if "encloses nothing" not in str(error):
                raise
            sample = None  # a jittered box may: nothing is read there then
        link = sample.link if sample else None
        crops.append(_lower(sample.image) if sample else np.zeros((8, 8, 3), np.uint8))
        labels.append(source.text(i))
        scenes.append(scene)
        numbers.append(number)
        boxes.append(link.box if link else (0.5, 0.5, 1.0, 1.0))
    order = {id(scene): k for k, scene in enumerate(dict.fromkeys(scenes))}
    of_scene = np.array([order[id(scene)] for scene in scenes], dtype=np.int64)
    outdoors = STREET.get(source.dataset, ())
    street = np.array([outdoors is None or place(scene) in outdoors for scene in scenes], dtype=bool)
    where = np.array(boxes, np.float32).reshape(-1, 4)
    return Words(crops, labels, scenes, np.array(numbers, dtype=np.int64), where, of_scene, street)


def _lower(crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if crop.shape[0] <= _TALLEST:
        return crop
    width = max(1, round(crop.shape[1] * _TALLEST / crop.shape[0]))
    return np.asarray(Image.fromarray(crop).resize((width, _TALLEST), Image.Resampling.BOX))


def training_part(words: Words, source: Source, usable: Callable[[str], bool]) -> Words:
    """The words of training scenes that a training uses, by the rules of `source`; `usable` says so of labels."""
    rows: list[int] = []
    taken: dict[int, int] = {}
    scenes = sorted(set(words.of.tolist()))  # of a fold: not all numbers
    kept = {scenes[i] for i in _spread(len(scenes), source.share)}
    for i, (of, label) in enumerate(zip(words.of.tolist(), words.labels, strict=True)):
        if of not in kept or not usable(label) or (source.rendered and held_back(label, source.unseen)):
            continue
        if source.per_scene is not None and taken.get(of, 0) >= source.per_scene:
            continue
        taken[of] = taken.get(of, 0) + 1
        rows.append(i)
        if source.most is not None and len(rows) >= source.most:
            break
    if not rows:
        raise DataError(f"{source.name}: no words are left to train on: use more scenes")
    return words[rows]


def held_back(word: str, share: float) -> bool:
    """Whether a word of the rendered vocabulary is never trained on; case does not matter."""
    return int(hashlib.sha256(word.casefold().encode()).hexdigest()[:8], 16) < share * 2**32


def _spread(count: int, share: float) -> list[int]:
    """Numbers of `share` of `count` scenes, evenly; a smaller share is part of a larger one. At least two."""
    order = sorted(range(count), key=lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    return order[: max(2, round(share * count))]


def real(folder: Path, name: str, folds: int, jitter: float = 0.0) -> list[tuple[Words, Words]]:
    """(training, test) words of a real set: one pair where it has test scenes, else a pair for each fold by scene.

    Raises:
        ConfigError: there is no such set.
        DataError: it cannot be read.
    """
    train, test = folder / "train" / name, folder / "test" / name
    if not (train / "scenes.jsonl").is_file():
        raise ConfigError(f"{folder} has no train/{name}/scenes.jsonl: import the set with wordsight data import")
    source = ScenesSource(train, dataset=name)
    words = from_source(source)
    if (test / "scenes.jsonl").is_file():
        return [(words, from_source(ScenesSource(test, jitter=jitter, dataset=name)))]
    dealt = {id(source.scenes[s]): k % folds for k, s in enumerate(scene_order(source))}
    number = np.array([dealt[id(scene)] for scene in words.scenes])
    moved = from_source(ScenesSource(train, jitter=jitter, dataset=name)) if jitter else words
    return [(words[np.flatnonzero(number != k)], moved[np.flatnonzero(number == k)]) for k in range(folds)]


def rendered(source: Source, part: str, count: int, wear: float, folder: Path, jitter: float = 0.0) -> Words:
    """Words of `count` rendered scenes of a part (`SEEDS`), which are kept in `folder` for the next time.

    Raises:
        DataError: the folder cannot be written.
    """
    if not (folder / "scenes.jsonl").is_file():
        for _ in write_places(places(source, SEEDS[part], count, wear), folder):
            pass
    return from_source(ScenesSource(folder, jitter=jitter, dataset="rendered"))


def places(source: Source, seed: int, count: int, wear: float) -> RenderedScenes | RenderedPages:
    """The scenes themselves. There are fewer pages."""
    if source.blank:
        return RenderedScenes(count, seed, vocabularies=one_word_each(WORDS), blank=True)
    vocabularies = {name: tuple(spelled(word, source.script) for word in words) for name, words in WORDS.items()}
    if source.layout == "document":
        count = max(2, count // _SCENES_PER_PAGE)
        return RenderedPages(count, seed, informative=source.dial, wear=wear, vocabularies=vocabularies)
    return RenderedScenes(count, seed, informative=source.dial, wear=wear, vocabularies=vocabularies)


SCRIPTS = {
    "": string.ascii_lowercase,
    "greek": "αβξδεφγηιζκλμνοπψρστυωχθάύ",
    "cyrillic": "абцдефгхийклмнопярстужвшыз",
}
"""Letters that stand for a to z."""


def spelled(word: str, script: str) -> str:
    """A Latin word letter by letter in another script."""
    return word.translate(str.maketrans(SCRIPTS[""], SCRIPTS[script]))


def plain(value: Any) -> Any:
    """Paths as text and tuples as lists, for JSON."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
