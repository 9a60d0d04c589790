"""Scenes as a detector is trained and validated on them."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wordsight.data import read_scenes
from wordsight.data.augment import add_noise, compress, recolour
from wordsight.data.scenes import Scene
from wordsight.errors import ConfigError
from wordsight.synth.strewn import Strewn
from wordsight.train.batches import FromBatch
from wordsight.train.detection_lines import lines_of
from wordsight.train.detection_maps import db_maps
from wordsight.train.movable import Movable


@dataclass(frozen=True)
class MapBatch(Movable):
    """Pictures and their maps, see `detection_maps.Maps`.

    Attributes:
        images: (B, 3, S, S), normalised as the detector asks.
        core, counts, threshold, near: (B, S, S).
        step: of the run.
        index: of this part, from the run's beginning.
        samples: names of the scenes.
    """

    images: Tensor
    core: Tensor
    counts: Tensor
    threshold: Tensor
    near: Tensor
    step: int
    index: int
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """How training pictures are changed.

    Attributes:
        scale: smallest and largest factor of their size.
        turn: degrees, standard deviation of how they are turned.
        quarter: probability of another quarter turn.
        text: probability that a part is cut out around a word, instead of anywhere.
        colour: probability of other colours; noise and compression are half as likely.
    """

    scale: tuple[float, float] = (0.5, 2.0)
    turn: float = 6.0
    quarter: float = 0.05
    text: float = 0.8
    colour: float = 0.5


@dataclass(frozen=True)
class Rendering:
    """What is rendered beside the words that are there, see `synth.strewn`.

    Attributes:
        over: probability that texts are strewn over a part of a photograph.
        pages: probability that a printed page takes its place.
        words: lists of words.
        fonts: folders; none: the system's.
    """

    over: float = 0.0
    pages: float = 0.0
    words: tuple[Path, ...] = ()
    fonts: tuple[Path, ...] = ()


@dataclass(eq=False)
class MapBatches(Dataset[MapBatch]):
    """Batch i is a function of (seed, i); attributes as of `ScenesData`.

    Attributes:
        scenes: what they are cut out of; with `lines` their words have been joined already, see `detection_lines`.
        mean: of R, G and B, from 0 to 1, like `std`.
        parts: batches of a step.
    """

    scenes: Sequence[Scene]
    batch_size: int
    size: int
    mean: Sequence[float]
    std: Sequence[float]
    parts: int
    changes: Changes
    rendering: Rendering
    lines: bool
    seed: int

    def __post_init__(self) -> None:
        given = self.rendering
        self._strewn = Strewn(given.fonts or None, given.words) if given.over or given.pages else None

    def __getitem__(self, index: int) -> MapBatch:
        """Batch `index`."""
        rng = np.random.default_rng((self.seed, index))
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        images, maps, names = [], [], []
        for place in range(self.batch_size):
            scene = self.scenes[self._number(index * self.batch_size + place)]
            pixels, polygons = cut_out(scene, self.size, self.changes, rng)
            legible = [word.legible for word in scene.words]
            if self._strewn and (form := rng.random()) < self.rendering.over + self.rendering.pages:
                draws = random.Random(int(rng.integers(2**62)))
                if form < self.rendering.over:
                    pixels, rendered = self._strewn.over(draws, pixels, polygons)
                else:
                    pixels, rendered = self._strewn.page(draws, self.size, self.size)
                    polygons, legible = [], []
                if self.lines:
                    polygons += [text.polygon for text in rendered]
                else:
                    polygons += [polygon for text in rendered for _, polygon in text.words]
                legible += [True] * (len(polygons) - len(legible))
            pixels = coloured(pixels, self.changes, rng)
            images.append((torch.from_numpy(pixels).permute(2, 0, 1) / 255 - mean) / std)
            maps.append(db_maps(polygons, legible, self.size, self.size))
            names.append(scene.id)
        core, counts, threshold, near = (
            torch.from_numpy(np.stack([getattr(each, name) for each in maps]))
            for name in ("core", "counts", "threshold", "near")
        )
        step = index // self.parts
        return MapBatch(torch.stack(images), core, counts, threshold, near, step, index, tuple(names))

    def _number(self, k: int) -> int:
        """Each scene once, then all again in another order."""
        rounds, place = divmod(k, len(self.scenes))
        return int(np.random.default_rng((self.seed, 7, rounds)).permutation(len(self.scenes))[place])


def cut_out(
    scene: Scene, size: int, changes: Changes, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[NDArray[np.float64]]]:
    """A square part of a scene, scaled and turned: uint8 RGB (size, size, 3), and where the scene's words are in it."""
    import cv2

    pixels = scene.load()
    height, width = pixels.shape[:2]
    low, high = map(math.log, changes.scale)
    scale = math.exp(rng.uniform(low, high))
    turn = math.radians(
        rng.normal(0, changes.turn) + (rng.choice([90, 180, 270]) if rng.random() < changes.quarter else 0)
    )
    words = [word for word in scene.words if word.legible]
    if words and rng.random() < changes.text:
        middle = words[int(rng.integers(len(words)))].polygon.mean(axis=0)
        target = rng.uniform(0.2, 0.8, 2) * size
    else:
        middle, target = rng.uniform(0, 1, 2) * (width, height), np.full(2, size / 2)
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    matrix = np.c_[linear, target - linear @ middle]
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    part = np.asarray(
        cv2.warpAffine(
            pixels, matrix, (size, size), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR, borderMode=border
        ),
        np.uint8,
    )
    return part, [word.polygon @ linear.T + matrix[:, 2] for word in scene.words]


def coloured(part: NDArray[np.uint8], changes: Changes, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A part in other colours, noisy, compressed."""
    for change, probability in ((recolour, 1.0), (add_noise, 0.5), (compress, 0.5)):
        if rng.random() < probability * changes.colour:
            part = change(part, rng)
    return part


class ScenesData(lightning.LightningDataModule):
    """Endless training batches cut out of labelled scenes, and whole scenes to validate on.

    Args:
        real: folders with scenes.jsonl.
        batch_size: pictures that a device sees at once.
        size: of their sides, in pixels; a multiple of 32.
        changes: how they are changed.
        rendering: what is rendered onto them.
        lines: whether to learn lines of words that stand near each other in a row, instead of single words.
        workers: processes that cut them out, for each device.
        validation: folders to validate on; none: the last `validation_share` of each of `real`, not trained on.
        seed: decides cutting, changes and order.
    """

    def __init__(
        self,
        real: Sequence[Path] = (),
        batch_size: int = 8,
        size: int = 640,
        changes: Changes = Changes(),
        rendering: Rendering = Rendering(),
        lines: bool = False,
        workers: int = 1,
        validation: Sequence[Path] = (),
        validation_share: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not real:
            raise ConfigError("a detector needs labelled scenes: give them with --data.real='[FOLDER]'")
        if size < 32 or size % 32:
            raise ConfigError("data.size is in pixels and a multiple of 32: change it")
        if not 0 < changes.scale[0] <= changes.scale[1] or not 0 <= validation_share < 1:
            raise ConfigError("data.changes.scale grows from above 0, data.validation_share is below 1: change them")
        self.real, self.batch_size, self.size, self.changes, self.workers = real, batch_size, size, changes, workers
        self.rendering, self.lines = rendering, lines
        self.validation, self.validation_share, self.seed = validation, validation_share, seed

    def describe(self) -> dict[str, Any]:
        """What a model card should say about the data."""
        return {"real": [path.name for path in self.real], "batch_size": self.batch_size, "size": self.size}

    def setup(self, stage: str) -> None:
        """Read the lists of scenes."""
        share = 0.0 if self.validation else self.validation_share
        self._training: list[Scene] = []
        self._held_out: list[Scene] = [scene for path in self.validation for scene in self._read(path)]
        for path in self.real:
            scenes = self._read(path)
            cut = len(scenes) - math.ceil(share * len(scenes))
            self._training += scenes[:cut]
            self._held_out += scenes[cut:]
        if not self._training:
            raise ConfigError("all scenes are held out: give more of them, or a smaller data.validation_share")

    def _read(self, path: Path) -> list[Scene]:
        scenes = read_scenes(path)
        return [replace(scene, words=lines_of(scene.words)) for scene in scenes] if self.lines else scenes

    def train_dataloader(self) -> DataLoader[MapBatch]:
        """Batches from where the run stands."""
        trainer = self.trainer
        assert trainer is not None  # noqa: S101 - Lightning sets it before it asks
        cfg: Any = cast(Any, trainer.lightning_module.model).cfg
        parts = trainer.world_size * trainer.accumulate_grad_batches
        sizes = self.batch_size, self.size, cfg.mean, cfg.std, parts
        batches = MapBatches(self._training, *sizes, self.changes, self.rendering, self.lines, self.seed)
        first = trainer.global_step * parts + trainer.global_rank
        sampler = FromBatch(first, trainer.world_size)
        return DataLoader(batches, batch_size=None, sampler=sampler, num_workers=self.workers)

    def val_dataloader(self) -> Any:
        """Whole scenes, one by one; each rank has its share of them."""
        trainer = self.trainer
        assert trainer is not None  # noqa: S101 - as above
        mine = self._held_out[trainer.global_rank :: trainer.world_size]
        return DataLoader(mine, batch_size=None, collate_fn=_same) if mine else []  # type: ignore[arg-type]


def _same(scene: Scene) -> Scene:
    return scene
