"""Callbacks of a training run: models and checkpoints on disk, a stop at NaN."""

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from wordsight.errors import ConfigError
from wordsight.evaluate.wordset import WordSet
from wordsight.models import checkpoint
from wordsight.train.batches import Batch
from wordsight.train.data import WordsData
from wordsight.train.ema import Ema
from wordsight.train.gates import scene_facts
from wordsight.train.module import Recognition
from wordsight.train.sharding import whole

_UNKNOWN = 50  # losses on a GPU that are not waited for one by one


class KeepModel(Callback):
    """Writes the recognizer as a checkpoint folder `model/` in the run's folder, at each validation and at the end.

    `best/` beside it is the one that read most validation words, of several such the latest. With `averages` those are
    its weights.
    """

    def __init__(self, averages: Ema | None = None) -> None:
        self.averages = averages
        self._words: WordSet | None = None
        self._best = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Load the best accuracy so far if the run resumes; what another run left in the folder does not count."""
        self._best = 0.0
        config = Path(trainer.default_root_dir) / "best" / "config.json"
        if trainer.global_step and config.is_file():
            about = json.loads(config.read_text(encoding="utf-8"))["about"]
            if about["steps"] <= trainer.global_step:
                self._best = about["validation_accuracy"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it, unless Lightning is only trying out the validation loop."""
        if not trainer.sanity_checking:
            accuracy = trainer.callback_metrics.get("val/accuracy")
            better = accuracy is not None and float(accuracy) >= self._best  # on all ranks: it is their mean
            if accuracy is not None and better:
                self._best = round(float(accuracy), 2)
            self.write(trainer, pl_module, ("best", "model") if better else ("model",))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it."""
        self.write(trainer, pl_module, ("model",))

    def write(self, trainer: Trainer, module: LightningModule, folders: tuple[str, ...]) -> None:
        """Write it into these folders of the run's. All ranks have to call this."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(module, Recognition) or not isinstance(data, WordsData):
            return
        accuracy = trainer.callback_metrics.get("val/accuracy")
        about: dict[str, Any] = {
            "steps": trainer.global_step,
            "ema": module.optimiser.ema,
            "cross": module.cross,
            "data": data.describe() | ({"before": module.trained_before} if module.trained_before else {}),
            **scene_facts(module, trainer.callback_metrics),
            "validation_accuracy": None if accuracy is None else round(float(accuracy), 2),
        }
        with self.averages.instead(module) if self.averages else nullcontext():
            model = whole(module.model)  # on all ranks
            for folder in (Path(trainer.default_root_dir) / name for name in folders if trainer.is_global_zero):
                checkpoint.save(model, folder, **about)
                self._write_words(module, data, folder)

    def _write_words(self, module: Recognition, data: WordsData, folder: Path) -> None:
        """Write the words that it was trained on, in this run and before, if all of them are known."""
        if self._words is None:
            before = None if module.begun is None else WordSet.load(module.begun)
            if (module.begun is not None and before is None) or (words := data.word_set()) is None:
                return
            self._words = words if before is None else words | before
        self._words.save(folder)


class KeepCheckpoint(Callback):
    """Writes `last.ckpt`, from which a run can resume, in the run's folder, after `every` steps and after the last.

    After `minutes` from now it writes one more and ends the run, which then validates. Lightning's own limit counts the
    time before a resumption, too, and its checkpoints may fall in the middle of a step of several parts.
    """

    def __init__(self, every: int, minutes: float | None = None) -> None:
        self.every = every
        self.end = None if minutes is None else time.monotonic() + 60 * minutes
        self._seen = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What was done before is on disk already."""
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Write it, if this was the last part of such a step."""
        if trainer.global_step == self._seen:
            return
        self._seen = trainer.global_step
        if self.end is not None:  # all ranks end after the same step
            late = trainer.strategy.reduce_boolean_decision(time.monotonic() > self.end, all=False)
            trainer.should_stop = trainer.should_stop or late
        if self._seen == trainer.max_steps:
            trainer.should_stop = True
        if self._seen % self.every == 0 or trainer.should_stop:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "last.ckpt")


class StopOnNaN(Callback):
    """Ends a run whose loss is no finite number, before anything is written over the last good checkpoint.

    Looks wait for the GPU, so there is one for many parts; the samples of a bad part are written to
    `bad-batch-<step>-<rank>.json` in the run's folder.
    """

    def __init__(self) -> None:
        self._unknown: list[tuple[Tensor, int, tuple[str, ...]]] = []
        """Whether the loss of a part is finite, its step, and its samples."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Check the losses of the last parts now and then."""
        self._unknown.append((torch.isfinite(outputs["loss"].detach()), batch.step, batch.samples))
        if pl_module.device.type == "cpu" or len(self._unknown) == _UNKNOWN:
            self._look(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check all losses before anything is written."""
        self._look(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Check all losses, and the weights: the last step may have spoilt them without a loss that shows it."""
        self._look(trainer)
        for name, tensor in checkpoint["state_dict"].items():
            if not torch.isfinite(tensor).all():
                raise ConfigError(
                    f"{name} is not finite after step {trainer.global_step}: lower the learning rate and resume from "
                    "the last checkpoint"
                )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check all losses."""
        self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        unknown, self._unknown = self._unknown, []
        for finite, step, samples in unknown:
            if not finite:
                file = Path(trainer.default_root_dir) / f"bad-batch-{step}-{trainer.global_rank}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps({"step": step, "samples": samples}, indent=1) + "\n")
                raise ConfigError(
                    f"the loss is not a finite number at step {step}: lower the learning rate, or look at the samples "
                    f"listed in {file}"
                )
