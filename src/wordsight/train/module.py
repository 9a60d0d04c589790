"""Training a recognizer: objective, optimiser, schedule, validation accuracy."""

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from wordsight.decoding import read_psm
from wordsight.errors import ConfigError
from wordsight.imaging import prepare
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str, clip4str_preset
from wordsight.models.clip4str.graphs import TorchGraphs
from wordsight.text import Charset
from wordsight.train.batches import Batch

_36 = Charset.preset("36")


def warmup_stable_decay(step: int, warmup: int, decay_from: int, end: int) -> float:
    """Learning-rate factor: up linearly over `warmup` steps, flat, down linearly from `decay_from` to 0 at `end`.

    The flat part has no end of its own: a run can go on for as long as there is compute, and be annealed when it is
    to be shipped (Hägele et al., arXiv 2405.18392).
    """
    up = min(1.0, (step + 1) / max(warmup, 1))
    down = min(1.0, (end - step) / max(end - decay_from, 1))
    return max(0.0, min(up, down))


class Recognition(lightning.LightningModule):
    """Trains CLIP4STR.

    Args:
        model: name of a preset.
        start: checkpoint folder to take weights from instead of random ones (a new run, not a resumed one).
        lr: peak learning rate of the towers.
        decoder_lr_scale: the decoders' learning rate over the towers' (19 in the paper, where the towers are
            pre-trained; 1 from nothing).
        weight_decay: AdamW's, for matrices.
        warmup: steps until the peak.
        decay: the last steps of `trainer.max_steps`, over which the learning rate falls to 0. 0: it stays.
        cross_from: step from which the cross-modal branch trains, its decoder starting as a copy of the visual one.
            Since it sends no gradient into the visual branch, that branch loses nothing by training alone before.
        seed: decides permutations and dropout.
    """

    def __init__(
        self,
        model: str = "clip4str-tiny",
        start: Path | None = None,
        lr: float = 1.5e-3,
        decoder_lr_scale: float = 1.0,
        weight_decay: float = 0.05,
        warmup: int = 500,
        decay: int = 0,
        cross_from: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model: Clip4Str = checkpoint.load(start)[0].train() if start else Clip4Str(clip4str_preset(model))
        self.lr, self.decoder_lr_scale, self.weight_decay = lr, decoder_lr_scale, weight_decay
        self.warmup, self.decay = warmup, decay
        self.cross_from = cross_from
        self.seed = seed

    @property
    def cross(self) -> bool:
        """Whether the cross-modal branch trains yet."""
        return self.global_step >= self.cross_from

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """One batch; permutations and dropout are functions of (seed, batch)."""
        if self.global_step == self.cross_from > 0:
            self.model.cross_decoder.load_state_dict(self.model.visual_decoder.state_dict())
        key = self.seed * 1_000_003 + batch.index
        torch.manual_seed(key)
        losses = self.model.loss(batch.images, batch.targets, torch.Generator().manual_seed(key), self.cross)
        parts = {"loss": losses.total, "visual": losses.visual, "cross": losses.cross, "ctc": losses.ctc}
        logged = {f"train/{name}": value.detach() for name, value in parts.items() if value is not None}
        self.log_dict(logged, prog_bar=True, batch_size=1)
        if not torch.isfinite(losses.total):
            raise ConfigError(f"the loss is {losses.total.item()} at step {self.global_step}: lower the learning rate")
        return losses.total

    def validation_step(self, batch: tuple[list[npt.NDArray[np.uint8]], list[str]], batch_idx: int) -> None:
        """Word accuracy (36 characters, and exact) of the model as it is used: predict and refine."""
        crops, labels = batch
        graphs = TorchGraphs(self.model, cross=self.cross)
        images = prepare(crops, self.model.cfg.preprocessing)
        readings, _ = read_psm(graphs, images, self.model.tokenizer, self.model.cfg.max_length)
        pairs = [(reading.text, label) for reading, label in zip(readings, labels, strict=True)]
        accuracy = 100 * float(np.mean([_36.adapt(text) == _36.adapt(label) for text, label in pairs]))
        exact = 100 * float(np.mean([text == label for text, label in pairs]))
        self.log("val/accuracy", accuracy, prog_bar=True, batch_size=len(pairs))
        self.log("val/exact", exact, batch_size=len(pairs))

    def configure_optimizers(self) -> Any:
        """AdamW (0.9, 0.98), eps 1e-6 (as released), in the model's parameter groups, under the schedule."""
        groups = self.model.param_groups(self.lr, self.decoder_lr_scale, self.weight_decay)
        optimizer = AdamW(groups, betas=(0.9, 0.98), eps=1e-6)
        end = self.trainer.max_steps if self.decay else 2**62
        schedule = LambdaLR(optimizer, lambda step: warmup_stable_decay(step, self.warmup, end - self.decay, end))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
