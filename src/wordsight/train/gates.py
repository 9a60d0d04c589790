"""Callbacks for recognizers that learn to use scenes: their gates, and whether scenes help."""

import logging
from collections import deque
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from wordsight.evaluate.gates import sign
from wordsight.models import checkpoint
from wordsight.models.reading import TorchRecognizer
from wordsight.models.recognizer import Recognizer
from wordsight.train.batches import Batch
from wordsight.train.module import Recognition
from wordsight.train.validation import Share, read

_log = logging.getLogger(__name__)

JUMP, STEPS = 0.2, 50
"""A gate that moves by more than `JUMP` within `STEPS` steps jumps."""


class GateWatch(Callback):
    """Logs every gate at every step as `train/gate`, or `train/gate.<place>` where there are several.

    Warns of a gate that jumps, and of one that is still shut at the end. Values are checked every `STEPS` steps, so
    that training does not wait for the GPU in between.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[Tensor]] = {}
        self._jumped: set[str] = set()
        self._step = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Log the gates, once for each step."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        for name, value in _gates(pl_module).items():
            pl_module.log(f"train/{name}", value, batch_size=1)
            self._seen.setdefault(name, deque(maxlen=2 * STEPS)).append(value)
        if self._step % STEPS == 0:
            self._look()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn of gates that are shut or negative."""
        self._look()
        for name, value in _gates(pl_module).items():
            if wrong := sign(float(value)):
                _log.warning(
                    "%s ended at %.4f, %s. Train longer, change clipter.gate_lr_scale or set clipter.clamp, or take it "
                    "that these scenes say nothing",
                    name,
                    float(value),
                    wrong,
                )

    def _look(self) -> None:
        for name, values in self._seen.items():
            if name in self._jumped or not values:
                continue
            trace = torch.stack(list(values)).cpu()
            spans = trace.unfold(0, min(STEPS + 1, len(trace)), 1)  # all stretches of so many steps
            moved = float((spans.amax(1) - spans.amin(1)).max())
            if moved > JUMP:
                self._jumped.add(name)
                _log.warning(
                    "%s moved by %.2f within %d steps up to step %d: lower the learning rate or clipter.gate_lr_scale",
                    name,
                    moved,
                    STEPS,
                    self._step,
                )


def _gates(module: LightningModule) -> dict[str, Tensor]:
    fusions = getattr(getattr(module, "model", None), "fusions", {})
    values = {place: fusion.gate.value.detach().clone()[0] for place, fusion in fusions.items()}
    return {"gate" if len(values) == 1 else f"gate.{place}": value for place, value in values.items()}


class StageOne(Callback):
    """In the end, measures the recognizer that the second stage began with on the same words: `val/accuracy.start`."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read all validation words, each rank its share."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(pl_module, Recognition) or pl_module.stage_one is None or data is None:
            return
        loader = data.val_dataloader()
        if not loader or not trainer.enable_validation:
            return
        model, about = checkpoint.load(pl_module.stage_one)
        if not isinstance(model, Recognizer) or model.architecture != pl_module.model.architecture:  # CLIP's towers
            return
        reader = TorchRecognizer(model.to(pl_module.device), cross=bool(about.get("cross", True)))
        right = torch.zeros(2, device=pl_module.device)
        for words in loader:
            share, count = Share.of(read(reader, words.crops), words.labels), len(words.labels)
            right += torch.tensor([share.accuracy * count, count], device=right.device)
        right = trainer.strategy.reduce(right, reduce_op="sum")
        accuracy = float(right[0] / right[1])
        trainer.callback_metrics["val/accuracy.start"] = torch.tensor(accuracy)
        for logger in trainer.loggers:
            logger.log_metrics({"val/accuracy.start": accuracy}, trainer.global_step)


def scene_facts(module: Recognition, metrics: dict[str, Tensor]) -> dict[str, Any]:
    """Facts about scenes for the checkpoint: their encoder, and accuracies with, without, and before scenes."""
    if module.scenes is None:
        return {}
    names = {"val/accuracy": "with", "val/accuracy.null": "without", "val/accuracy.start": "stage_one"}
    found = {new: round(float(metrics[name]), 2) for name, new in names.items() if name in metrics}
    facts: dict[str, Any] = {"encoder": module.scenes.encoder.identity, "accuracy": found}
    if "val/scenes" in metrics:
        facts["available"] = f"{int(metrics['val/scenes'])}/{int(metrics['val/words'])}"
    return {"scenes": facts}


def summary(facts: dict[str, Any]) -> str:
    """`scene_facts` in a line; empty where nothing was validated."""
    accuracy = facts["scenes"]["accuracy"] if facts else {}
    if not accuracy:
        return ""
    shown = {"with": "with scenes", "without": "without", "stage_one": "stage one"}
    parts = [f"{text} {accuracy[name]:.2f} %" for name, text in shown.items() if name in accuracy]
    return f"{', '.join(parts)} of the validation words; scene available {facts['scenes']['available']}"
