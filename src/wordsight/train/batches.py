"""Training batches as a function of (seed, number of the batch): a resumed run sees what it would have seen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from wordsight.data import Mixture, Sample, SceneView, augment
from wordsight.imaging import Preprocessing, prepare
from wordsight.imaging.geometry import Box
from wordsight.text import CharTokenizer
from wordsight.train.config import SceneConfig
from wordsight.train.movable import Movable
from wordsight.train.scenes import SceneBatch

Augmentation = Callable[[npt.NDArray[np.uint8], np.random.Generator], npt.NDArray[np.uint8]]
Word: TypeAlias = tuple[npt.NDArray[np.uint8], str, tuple[SceneView, Box] | None, str]
"""A crop as training sees it, its label, its scene and the place in it (None: the null scene), and its name."""


@dataclass(frozen=True)
class Position:
    """How far a reader of a stream has come.

    Attributes:
        reader: its number.
        batches: that it has given.
        scenes: number of the scene, counted over its run, with which the pool of the last word begins.
        words: of that pool that have been given.
    """

    reader: int
    batches: int = 0
    scenes: int = 0
    words: int = 0


@dataclass(frozen=True)
class Batch(Movable):
    """One part of an optimiser step: what one device sees at once.

    Attributes:
        index: number of the part, counted over the whole run and all devices.
        step: number of the optimiser step.
        images: (B, 3, H, W) float32.
        targets: (B, T + 1) ids [B] label [E] [P]..., as long as the longest label of the whole step.
        characters: how many characters the labels of a part of this step have on average; None where that is not known.
        samples: names of the rows, as "data set/sample".
        skipped: how many samples of the part could not be read; others replace them.
        scenes: where the crops come from; None if the recognizer does not ask.
        position: of the reader, where the batch comes from a stream.
    """

    index: int
    step: int
    images: Tensor
    targets: Tensor
    characters: float | None
    samples: tuple[str, ...]
    skipped: int = 0
    scenes: SceneBatch | None = None
    position: Position | None = None


@dataclass(eq=False)
class Batches(Dataset[Batch]):
    """Batch number i of a mixture.

    A step consists of `parts` batches, one for each device and round of accumulation. Its samples are a function of its
    number and size alone, whatever the number of devices. Its longest label and number of characters are known here, so
    devices need not ask each other.

    With `pool` above 1, each run of `pool` steps is sorted by label length, cut, and shuffled: a decoder's cost is that
    of the longest label. Samples of the sources numbered in `augmented` are augmented. Scenes are given to recognizers
    that are `conditioned` on them. What happens to a sample is a function of the seed and of its index in the mixture.
    """

    mixture: Mixture
    augmented: frozenset[int]
    tokenizer: CharTokenizer
    preprocessing: Preprocessing
    batch_size: int
    pool: int
    parts: int = 1
    augmentation: Augmentation = augment
    scene: SceneConfig = field(default_factory=SceneConfig)
    conditioned: bool = False
    _sorted: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = field(default=None, init=False)  # in use

    def __getitem__(self, index: int) -> Batch:
        """Batch number `index`, independent of those before."""
        step, part = divmod(index, self.parts)
        indices, lengths = self._step(step)
        words, skipped = [], 0
        for i in map(int, indices[part :: self.parts]):
            source, number = self.mixture.locate(i)
            sample = self.mixture.sources[source][number]
            skipped += bool(sample.problem)
            key = (self.mixture.seed, i)
            augmentation = self.augmentation if source in self.augmented else None
            words.append(learned(sample, key, augmentation, self.scene, conditioned=self.conditioned))
        facts = {"index": index, "step": step, "skipped": skipped, "characters": float(lengths.sum()) / self.parts}
        return batch_of(words, int(lengths.max()), self.tokenizer, self.preprocessing, self.conditioned, **facts)

    def _step(self, step: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Indices into the mixture of the samples of a step, and the lengths of their labels."""
        number, place = divmod(step, self.pool)
        if self._sorted is None or self._sorted[0] != number:
            total = self.batch_size * self.parts
            indices = np.arange(number * self.pool * total, (number + 1) * self.pool * total)
            lengths = np.array([len(self.mixture.text(int(i))) for i in indices])
            order = np.argsort(lengths, kind="stable").reshape(self.pool, total)
            order = np.random.default_rng((self.mixture.seed, number)).permutation(order)
            self._sorted = number, indices[order], lengths[order]
        return self._sorted[1][place], self._sorted[2][place]


def learned(
    sample: Sample, key: tuple[int, ...], augmentation: Augmentation | None, scene: SceneConfig, *, conditioned: bool
) -> Word:
    """A word as training sees it.

    Args:
        sample: the word.
        key: all that is random is a function of it.
        augmentation: None leaves the crop as it is.
        scene: what happens to its scene and box, which changes only where there is an augmentation.
        conditioned: whether the recognizer takes scenes.
    """
    image, link, name = sample.image, sample.link, f"{sample.dataset}/{sample.id}"
    box = link.box if link else None
    if link and augmentation and (scene.box_jitter or scene.box_padding):
        again = link.cut_anew(np.random.default_rng((*key, 1)), scene.box_jitter, scene.box_padding)
        image, box = again or (image, box)
    if augmentation:
        image = augmentation(image, np.random.default_rng(key))
    shown = (link.view, box) if conditioned and link and link.view and box else None
    if shown and np.random.default_rng((*key, 2)).random() < scene.dropout:
        shown = None
    return image, sample.text, shown, name


def batch_of(
    words: Sequence[Word],
    longest: int,
    tokenizer: CharTokenizer,
    preprocessing: Preprocessing,
    conditioned: bool,
    **facts: Any,
) -> Batch:
    """The batch of some words; `facts` are its other attributes.

    Targets are (B, longest + 2), or more where a label is longer: a stand-in for a broken sample may be.
    """
    crops, labels, shown, names = zip(*words, strict=True)
    ids = tokenizer.encode(labels)
    missing = max(0, longest + 2 - ids.shape[1])
    targets = np.pad(ids, ((0, 0), (0, missing)), constant_values=tokenizer.pad)
    images = torch.from_numpy(prepare(crops, preprocessing, together=True))
    scenes = SceneBatch.of(shown) if conditioned else None
    return Batch(images=images, targets=torch.from_numpy(targets), samples=names, scenes=scenes, **facts)


@dataclass(eq=False)
class FromBatch(Sampler[int]):
    """Batch numbers from `start` on, every `stride`-th: each rank of a distributed run takes its own."""

    start: int
    stride: int = 1

    def __iter__(self) -> Iterator[int]:
        return count(self.start, self.stride)
