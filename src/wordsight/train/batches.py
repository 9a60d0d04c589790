"""Training batches as a function of (seed, number of the batch): a resumed run sees what it would have seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from wordsight.data import Mixture, augment
from wordsight.imaging import Preprocessing, prepare
from wordsight.text import CharTokenizer


@dataclass(frozen=True)
class Batch:
    """`images` (B, 3, H, W) float32, `targets` (B, T + 1) ids [B] label [E] [P]..., and the batch's number."""

    index: int
    images: Tensor
    targets: Tensor

    def pin_memory(self) -> "Batch":
        """For quick copies to a GPU (called by the data loader)."""
        return Batch(self.index, self.images.pin_memory(), self.targets.pin_memory())

    def to(self, device: torch.device, non_blocking: bool = True) -> "Batch":
        """On another device."""
        images = self.images.to(device, non_blocking=non_blocking)
        return Batch(self.index, images, self.targets.to(device, non_blocking=non_blocking))


class Batches(Dataset[Batch]):
    """Batch number i of a mixture.

    Labels of similar length share a batch, since a decoder's cost is that of its longest label: each run of `pool`
    batches is sorted by length, cut, and shuffled. Samples of the sources numbered in `augmented` are augmented.
    """

    def __init__(
        self,
        mixture: Mixture,
        augmented: frozenset[int],
        tokenizer: CharTokenizer,
        preprocessing: Preprocessing,
        batch_size: int,
        pool: int,
    ) -> None:
        self.mixture = mixture
        self.augmented = augmented
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.pool = pool
        self._sorted: tuple[int, npt.NDArray[np.int64]] | None = None  # the pool in use, kept per worker

    def __getitem__(self, index: int) -> Batch:
        """Batch number `index`, whatever was asked for before."""
        crops, labels = [], []
        for i in self._samples(index):
            source, number = self.mixture.locate(int(i))
            sample = self.mixture.sources[source][number]
            image = sample.image
            if source in self.augmented:
                image = augment(image, np.random.default_rng((self.mixture.seed, int(i))))
            crops.append(image)
            labels.append(sample.text)
        images = torch.from_numpy(prepare(crops, self.preprocessing))
        return Batch(index, images, torch.from_numpy(self.tokenizer.encode(labels)))

    def _samples(self, index: int) -> npt.NDArray[np.int64]:
        """Indices into the mixture of batch number `index`."""
        number, place = divmod(index, self.pool)
        if self._sorted is None or self._sorted[0] != number:
            size = self.pool * self.batch_size
            indices = np.arange(number * size, (number + 1) * size)
            lengths = [len(self.mixture.text(int(i))) for i in indices]
            batches = indices[np.argsort(lengths, kind="stable")].reshape(self.pool, self.batch_size)
            self._sorted = number, np.random.default_rng((self.mixture.seed, number)).permutation(batches)
        row: npt.NDArray[np.int64] = self._sorted[1][place]
        return row


class FromBatch(Sampler[int]):
    """Batch numbers from `start` on, every `stride`-th: each rank of a distributed run takes its own."""

    def __init__(self, start: int, stride: int = 1) -> None:
        self.start = start
        self.stride = stride

    def __iter__(self) -> Iterator[int]:
        index = self.start
        while True:
            yield index
            index += self.stride
