"""Training batches from shards of scenes, read from first to last: a scene is decoded once for all its words.

The order is a function of the seed, of the number of readers (devices times workers), and of how far each has come,
which batches say and training checkpoints keep.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch.distributed
from lightning import Callback, LightningModule, Trainer
from torch.utils.data import IterableDataset, get_worker_info

from wordsight.data import Scene, ScenesSource, filter_labels
from wordsight.data.shards import ShardStream
from wordsight.errors import ConfigError, DataError
from wordsight.train.batches import Augmentation, Batch, Position, Word, batch_of, learned
from wordsight.train.config import SceneConfig

POOL = 32
"""Scenes whose words are shuffled together: a batch should not be one shop's signs. Their crops are in memory."""


@dataclass(eq=False)
class StreamBatches(IterableDataset[Batch]):
    """Endless batches of the words of a `ShardStream`; each worker of each device is one reader.

    Attributes:
        place: folder of shards, or its address.
        cfg: the recognizer's: charset, longest word, preprocessing.
        batch_size: crops that a device sees at once.
        rank: number of the device, of `ranks`.
        parts: batches of a step, over all devices.
        workers: processes that read, for each device.
        seed: decides the order, boxes, augmentation and which scenes are left out.
        augmentation: what crops go through.
        scene: what happens to scenes, which are exchanged within a pool.
        conditioned: whether the recognizer takes them.
        done: batches that this device has had: the next one is the next reader's.
        positions: how far readers have come; those that are missing are at the start.
    """

    place: str
    cfg: Any
    batch_size: int
    rank: int
    ranks: int
    parts: int
    workers: int
    seed: int
    augmentation: Augmentation
    scene: SceneConfig
    conditioned: bool
    done: int = 0
    positions: Mapping[int, Position] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workers = max(self.workers, 1)  # none: the training process reads

    @property
    def readers(self) -> int:
        """How many readers all devices have together."""
        return self.ranks * self.workers

    def go_on(self, done: int, kept: "KeepPosition") -> None:
        """Continues after the `done` batches that this device has had.

        Raises:
            ConfigError: there were other readers.
        """
        if done and kept.readers != self.readers:
            raise ConfigError(
                f"this run read its stream with {kept.readers} readers (devices times workers), not {self.readers}: "
                "resume with as many"
            )
        self.done, self.positions = done, dict(kept.positions)
        kept.readers = self.readers

    def __iter__(self) -> Iterator[Batch]:
        """Batches of this process, from where its reader stands."""
        worker = get_worker_info()
        turn = ((worker.id if worker else 0) + self.done) % self.workers
        reader = self.rank * self.workers + turn
        position = self.positions.get(reader, Position(reader))
        words: list[Word] = []
        skipped = 0
        for first, pool, broken in self._pools(reader, position.scenes):
            skip = position.words if first == position.scenes else 0
            skipped += 0 if skip else broken
            for number, word in enumerate(pool[skip:], start=skip + 1):
                words.append(word)
                if len(words) < self.batch_size:
                    continue
                position = Position(reader, position.batches + 1, first, number)
                index = ((position.batches - 1) * self.workers + turn) * self.ranks + self.rank
                facts: dict[str, Any] = {"index": index, "step": index // self.parts, "skipped": skipped}
                facts |= {"characters": None, "position": position}
                # Nobody knows the longest label of all devices' parts, and they must agree on a length
                longest, cfg = self.cfg.max_length, self.cfg
                yield batch_of(words, longest, cfg.tokenizer, cfg.preprocessing, self.conditioned, **facts)
                words, skipped = [], 0

    def _pools(self, reader: int, first: int) -> Iterator[tuple[int, list[Word], int]]:
        """From scene `first` of the reader on: the number of a pool's first scene, its words, how many are broken."""
        stream = ShardStream(self.place, seed=self.seed, reader=reader, readers=self.readers, position=first)
        scenes, barren = iter(stream), 0
        while pool := list(islice(scenes, POOL)):
            words, broken = self._words(pool, (self.seed, reader, first))
            yield first, words, broken
            first += len(pool)
            barren = 0 if words else barren + len(pool)
            if barren > len(stream):
                raise DataError(f"{self.place}: has no word that this recognizer can learn: check it")

    def _words(self, pool: list[Scene], key: tuple[int, ...]) -> tuple[list[Word], int]:
        """The words of some scenes, shuffled, and how many of them cannot be read."""
        source = ScenesSource(pool)
        alone = self.scene.mode == "shuffle" and len(pool) == 1
        source.show("none" if alone else self.scene.mode, self.scene.seed)
        usable, _ = filter_labels(source, self.cfg.charset, self.cfg.max_length)
        words: list[Word] = []
        for i in range(len(usable)):
            try:
                sample = usable[i]
            except DataError:
                continue
            place = (*key, len(words) + 1)
            words.append(learned(sample, place, self.augmentation, self.scene, conditioned=self.conditioned))
        order = np.random.default_rng(key).permutation(len(words))
        return [words[i] for i in order], len(usable) - len(words)


class KeepPosition(Callback):
    """Records how far each reader has come, once its batch has been trained on."""

    def __init__(self) -> None:
        self.positions: dict[int, Position] = {}
        self.readers = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Record the position of the batch."""
        if batch.position is not None:
            self.positions[batch.position.reader] = batch.position

    def state_dict(self) -> dict[str, Any]:
        """Positions of the readers of all devices. All ranks have to call this."""
        found = list(self.positions.values())
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            everyone: list[list[Position]] = [[] for _ in range(torch.distributed.get_world_size())]
            torch.distributed.all_gather_object(everyone, found)
            found = [position for one in everyone for position in one]
        return {"readers": self.readers, "positions": [asdict(position) for position in found]} if found else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.readers = state_dict.get("readers", 0)
        self.positions = {one["reader"]: Position(**one) for one in state_dict.get("positions", [])}
