"""What a run trains and validates on: rendered words and real ones, mixed."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
from torch.utils.data import ConcatDataset, DataLoader

from wordsight.data import Mixture, Sample, View, filter_labels, holdout, open_source
from wordsight.errors import ConfigError
from wordsight.synth.words import RenderedWords
from wordsight.train.batches import Batch, Batches, FromBatch
from wordsight.train.module import Recognition

log = logging.getLogger(__name__)


class WordsData(lightning.LightningDataModule):
    """Endless training batches of rendered and real words; the last part of every real source is for validation.

    Args:
        real: data sets of real words (folders with labels.tsv, LMDB, scenes.jsonl); none: rendered words alone.
        real_share: share of real words in training, spread over the real sources by their size.
        words: word lists to render, see `wordsight synth`.
        backgrounds: folder of pictures without text to render over.
        fonts: folders of fonts; none: the system's.
        batch_size: crops per device and step.
        pool: batches that are sorted by label length together.
        workers: processes that render and read.
        validation_share: the last part of every real source that is never trained on. Neighbours in these data sets
            come from the same scene, so this cuts by scene.
        seed: decides rendering, augmentation and order.
    """

    def __init__(
        self,
        real: Sequence[Path] = (),
        real_share: float = 0.25,
        words: Sequence[Path] = (),
        backgrounds: Path | None = None,
        fonts: Sequence[Path] = (),
        batch_size: int = 128,
        pool: int = 32,
        workers: int = 1,
        validation_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 < real_share < 1:
            raise ConfigError(f"real_share is {real_share}: give a share between 0 and 1")
        self.real = real
        self.real_share = real_share
        self.words = words
        self.backgrounds = backgrounds
        self.fonts = fonts
        self.batch_size = batch_size
        self.pool = pool
        self.workers = workers
        self.validation_share = validation_share
        self.seed = seed

    def describe(self) -> dict[str, Any]:
        """What a model card should say about the data."""
        return {
            "real": [path.name for path in self.real],
            "real_share": self.real_share if self.real else 0.0,
            "word_lists": [path.name for path in self.words],
            "batch_size": self.batch_size,
        }

    def setup(self, stage: str) -> None:
        """Open the sources and set a validation part aside."""
        module = self._trainer.lightning_module
        if not isinstance(module, Recognition):
            raise ConfigError("these data need to know the recognizer: train a wordsight.train.Recognition")
        cfg = module.model.cfg
        training: list[View] = []
        self.validation: list[View] = []
        for path in self.real:
            source, dropped = filter_labels(open_source(path), cfg.charset, cfg.max_length)
            log.info("%s: %d words, left out: %s", path, len(source), dropped)
            train, held_out = holdout(source, self.validation_share)
            training.append(train)
            self.validation.append(held_out)
        rendered = RenderedWords(
            seed=self.seed, fonts=list(self.fonts) or None, words=list(self.words), backgrounds=self.backgrounds
        )
        total = sum(map(len, training))
        weights = [self.real_share * len(source) / total for source in training]
        rendered_weight = 1 - self.real_share if training else 1.0
        self.batches = Batches(
            Mixture([rendered, *training], [rendered_weight, *weights], self.seed, length=2**62),
            frozenset(range(1, len(training) + 1)),
            module.model.tokenizer,
            cfg.preprocessing,
            self.batch_size,
            self.pool,
        )

    @property
    def _trainer(self) -> lightning.Trainer:
        if self.trainer is None:
            raise ConfigError("these data belong to no trainer yet: pass them to Trainer.fit")
        return self.trainer

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches from where the run stands."""
        trainer = self._trainer
        done = trainer.global_step * trainer.accumulate_grad_batches * trainer.world_size
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=FromBatch(done + trainer.global_rank, trainer.world_size),
            num_workers=self.workers,
            pin_memory=trainer.strategy.root_device.type == "cuda",
        )

    def val_dataloader(self) -> Any:
        """Crops (uint8 RGB) and their labels, 64 at a time."""
        if not self.validation:
            return []
        return DataLoader(ConcatDataset(self.validation), batch_size=64, collate_fn=_crops_and_labels)  # type: ignore[arg-type]


def _crops_and_labels(samples: list[Sample]) -> tuple[list[npt.NDArray[np.uint8]], list[str]]:
    return [sample.image for sample in samples], [sample.text for sample in samples]
