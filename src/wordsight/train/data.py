"""What a run trains and validates on: rendered words and real ones, mixed."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import lightning
from torch.utils.data import ConcatDataset, DataLoader, Subset

from wordsight.data import (
    Mixture,
    Sample,
    SkipBroken,
    Source,
    TrainableLabels,
    View,
    augment,
    filter_labels,
    holdout,
    open_source,
    rand_augment,
    show_scenes,
)
from wordsight.data.mixing import RotatedTall
from wordsight.errors import ConfigError
from wordsight.evaluate.wordset import WordSet
from wordsight.synth.lines import RenderedLines
from wordsight.synth.vocabulary import Vocabulary
from wordsight.synth.words import RenderedWords
from wordsight.train.batches import Augmentation, Batch, Batches, FromBatch
from wordsight.train.config import RenderingConfig, SceneConfig
from wordsight.train.module import Recognition
from wordsight.train.streams import KeepPosition, StreamBatches
from wordsight.train.validation import Words

log = logging.getLogger(__name__)

_AUGMENTATIONS: dict[str, Augmentation] = {"compact": augment, "randaugment": rand_augment}


class WordsData(lightning.LightningDataModule):
    """Endless training batches of rendered and real words, and what to validate on.

    Args:
        real: data sets of real words, or folders with many of them below; none: rendered words alone.
        pseudo: more of these, whose labels are readings (`wordsight data pseudo-label`); nothing is validated on them.
        stream: instead of `real`, the folder or address of shards of scenes, see `train.streams`. Training resumes only
            with the same number of devices and workers.
        real_share: share of real words in training, spread over the sources by their size. 1: no rendered words.
        rendering: what rendered words are made of.
        augmentation: of real words. "compact" is for inputs of about 32 rows, and turns tall crops (`data.mixing`);
            "randaugment" is PARSeq's and CLIP4STR's.
        batch_size: crops that a device sees at once.
        total_batch: crops per optimiser step, from which `trainer.accumulate_grad_batches` follows. None: that stands.
        epochs: how often each real word is seen on average; `trainer.max_steps` follows. None: that stands.
        pool: steps that are sorted by label length together: quicker decoders, but steps of short or of long words
            alone.
        workers: processes that render and read, for each device.
        validation: data sets to validate on.
        validation_share: without `validation`, the last part of every real source (cut by scene), never trained on.
        scene: what a recognizer that takes scenes is given.
        seed: decides rendering, augmentation and order.
    """

    def __init__(
        self,
        real: Sequence[Path] = (),
        pseudo: Sequence[Path] = (),
        stream: str | None = None,
        real_share: float = 0.25,
        rendering: RenderingConfig = RenderingConfig(),  # noqa: B008 frozen, like `scene`
        augmentation: Literal["compact", "randaugment"] = "compact",
        batch_size: int = 128,
        total_batch: int | None = None,
        epochs: float | None = None,
        pool: int = 32,
        workers: int = 1,
        validation: Sequence[Path] = (),
        validation_share: float = 0.1,
        scene: SceneConfig = SceneConfig(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 < real_share <= 1:
            raise ConfigError(f"real_share is {real_share}: give a share above 0, up to 1")
        if stream and (real or pseudo or real_share < 1 or epochs):
            raise ConfigError(
                "a stream must be the only source: set data.real_share=1, without data.real, pseudo and epochs"
            )
        if not real and not stream and (real_share == 1 or epochs):
            raise ConfigError("this recipe needs real words: give them with --data.real='[FOLDER]'")
        if epochs and not total_batch:
            raise ConfigError("data.epochs are counted in steps of a known size: give data.total_batch, too")
        self.real, self.pseudo, self.stream = real, pseudo, stream
        self.real_share = real_share
        self.rendering, self.augmentation = rendering, augmentation
        self.batch_size, self.total_batch, self.epochs = batch_size, total_batch, epochs
        self.pool, self.workers = pool, workers
        self.validation, self.validation_share = validation, validation_share
        self.scene = scene
        self.seed = seed
        self._opened: tuple[list[View], list[View]] | None = None

    def describe(self) -> dict[str, Any]:
        """What a model card should say about the data."""
        about = {
            "real": [path.name for path in self.real],
            "real_share": self.real_share if self.real else 0.0,
            "word_lists": [path.name for path in self.rendering.words],
            "batch_size": self.batch_size,
        }
        if self.pseudo:
            about["pseudo"] = [path.name for path in self.pseudo]
        if self.stream:
            about["stream"] = self.stream.rstrip("/").split("/")[-1]
        if self.scene.mode != "real":
            about["scene"] = self.scene.mode
        return about

    def steps(self, cfg: Any) -> int | None:
        """How many optimiser steps the epochs are, of words that a recognizer of this configuration can learn.

        None if `epochs` does not say.
        """
        if not self.epochs or not self.total_batch:
            return None
        total = sum(map(len, self._open(cfg)[0]))
        return max(1, round(self.epochs * total / (self.total_batch * self.real_share)))

    def _open(self, cfg: Any) -> tuple[list[View], list[View]]:
        """The real words to train on, by source, and those set aside for validation; opened once."""
        if self._opened is None:
            share = 0.0 if self.validation else self.validation_share
            halves = [holdout(source, share) for source in self._usable(self.real, cfg)]
            training = [*(train for train, _ in halves), *filter(len, self._usable(self.pseudo, cfg))]
            held_out = self._usable(self.validation, cfg) if self.validation else [part for _, part in halves]
            self._opened = training, [view for view in held_out if len(view)]
        return self._opened

    def _usable(self, paths: Sequence[Path], cfg: Any) -> list[View]:
        views = []
        for path in paths:
            source = open_source(path)
            show_scenes(source, self.scene.mode, self.scene.seed)
            view, dropped = filter_labels(source, cfg.charset, cfg.max_length)
            log.info("%s: %d words, left out: %s", path, len(view), dropped)
            views.append(view)
        return views

    def setup(self, stage: str) -> None:
        """Open the sources, set a validation part aside, work out how many batches a step has."""
        trainer = self._trainer
        module = trainer.lightning_module
        if not isinstance(module, Recognition):
            raise ConfigError("this data module needs the recognizer: train a wordsight.train.Recognition")
        model, cfg = module.model, module.model.cfg
        rounds = self._rounds(trainer.world_size, trainer.accumulate_grad_batches)
        trainer.accumulate_grad_batches = rounds
        if isinstance(trainer.val_check_interval, int):  # Lightning counts batches there, recipes count steps
            trainer.val_check_interval *= rounds
        parts, augmentation = trainer.world_size * rounds, _AUGMENTATIONS[self.augmentation]
        conditioned = model.clipter is not None
        upright = RotatedTall if self.augmentation == "compact" else lambda source: source
        training, held_out = self._open(cfg)
        self._validation = [upright(view) for view in held_out]
        self.batches: Batches | StreamBatches
        if self.stream:
            self.batches = StreamBatches(
                self.stream,
                cfg,
                self.batch_size,
                rank=trainer.global_rank,
                ranks=trainer.world_size,
                parts=parts,
                workers=self.workers,
                seed=self.seed,
                augmentation=augmentation,
                scene=self.scene,
                conditioned=conditioned,
            )
            return
        real: list[Source] = [SkipBroken(upright(source)) for source in training]
        total = sum(map(len, training))
        weights = [self.real_share * len(source) / total for source in training]
        sources = list(real)
        if self.real_share < 1:
            sources.append(TrainableLabels(self._rendered(cfg), cfg.charset, cfg.max_length))
            weights.append(1 - self.real_share if training else 1.0)
        self.batches = Batches(
            Mixture(sources, weights, self.seed),
            frozenset(range(len(real))),
            cfg.tokenizer,
            cfg.preprocessing,
            self.batch_size,
            self.pool,
            parts,
            augmentation,
            self.scene,
            conditioned,
        )

    def _rendered(self, cfg: Any) -> Source:
        """Rendered words; lines for a recognizer that takes any width."""
        given = self.rendering
        kinds: dict[str, Any] = {
            "seed": self.seed,
            "fonts": list(given.fonts) or None,
            "words": list(given.words),
            "backgrounds": given.backgrounds,
        }
        if cfg.preprocessing.width is None:
            return RenderedLines(**kinds, characters=cfg.charset.characters)
        return RenderedWords(**kinds, config=given.config, size=cfg.preprocessing.size, enlarged=False)

    def word_set(self) -> WordSet | None:
        """All words that are trained on, those of the lists that are rendered included; None of a stream."""
        if self.stream:
            return None
        if self._opened is None:
            raise ConfigError("these words are not open yet: pass this data module to Trainer.fit")
        labels = (view.text(i) for view in self._opened[0] for i in range(len(view)))
        listed = Vocabulary(tuple(self.rendering.words)).words if self.real_share < 1 else ()
        return WordSet.of((*listed, *labels))

    def _rounds(self, devices: int, given: int) -> int:
        """How many batches each device adds up before a step."""
        if self.total_batch is None:
            return given
        if given != 1:
            raise ConfigError("both data.total_batch and trainer.accumulate_grad_batches are set: leave the latter out")
        rounds, rest = divmod(self.total_batch, self.batch_size * devices)
        if rest or not rounds:
            raise ConfigError(
                f"total_batch {self.total_batch} is no multiple of batch_size {self.batch_size} x {devices} devices: "
                "change data.batch_size"
            )
        return rounds

    @property
    def _trainer(self) -> lightning.Trainer:
        if self.trainer is None:
            raise ConfigError("this data module has no trainer yet: pass it to Trainer.fit")
        return self.trainer

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches from where the run stands."""
        trainer = self._trainer
        done = trainer.global_step * self.batches.parts
        pinned = trainer.strategy.root_device.type == "cuda"
        if isinstance(self.batches, StreamBatches):
            found = (one for one in trainer.callbacks if isinstance(one, KeepPosition))  # type: ignore[attr-defined]
            self.batches.go_on(done // trainer.world_size, next(found, KeepPosition()))
            return DataLoader(self.batches, batch_size=None, num_workers=self.workers, pin_memory=pinned)
        numbers = FromBatch(done + trainer.global_rank, trainer.world_size)
        return DataLoader(self.batches, batch_size=None, sampler=numbers, num_workers=self.workers, pin_memory=pinned)

    def val_dataloader(self) -> Any:
        """`Words`, 64 at a time; each rank has its share of them."""
        if not self._validation:
            return []
        words: ConcatDataset[Sample] = ConcatDataset(self._validation)  # type: ignore[arg-type]
        share = range(self._trainer.global_rank, len(words), self._trainer.world_size)
        return DataLoader(Subset(words, share), batch_size=64, collate_fn=Words.of)
