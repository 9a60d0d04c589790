"""Running averages of the weights: what is validated and kept instead of the weights of the last step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor

from wordsight.errors import ConfigError
from wordsight.train.batches import Batch

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]

EVERY = 10
"""Steps from one update to the next, but for the first ones: PyTorch's update waits for the GPU."""


class Ema(WeightAveraging):
    """An exponential moving average of all weights, kept in the run's checkpoints.

    Validation reads with it, and it is what a run writes; the run itself continues with its own weights. A run that
    resumes without this takes the average as its weights.

    Args:
        decay: share of the average that stays over one step; its n-th update begins with (n + 1) / (n + 10), so that a
            short run forgets where it began.
    """

    def __init__(self, decay: float) -> None:
        if not 0 < decay < 1:
            raise ConfigError(
                f"model.optimiser.ema is {decay}: give a number between 0 and 1, such as 0.999, or 0 for none"
            )
        self._decay = decay**EVERY
        super().__init__(multi_avg_fn=self._move)

    @property
    def state_key(self) -> str:
        """The name under which checkpoints have always kept its state."""
        return "Averages"

    def _move(self, averages: Tensors, weights: Tensors, updates: Tensor) -> None:
        share = (9 / (updates + 10)).clamp(min=1 - self._decay)
        steps = torch._foreach_sub(weights, averages)
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(averages, steps)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Allocate it where the weights will be: they are not there yet."""
        if isinstance(trainer.strategy, ModelParallelStrategy):
            raise ConfigError("weights sharded over devices cannot be averaged: leave out model.optimiser.ema")
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After each of the first steps, then after every `EVERY`."""
        return step_idx is not None and (step_idx < EVERY or (step_idx + 1) % EVERY == 0)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """The average's cross-modal decoder begins as the run's does."""
        pl_module.start_cross(self._average_model.module.model)  # type: ignore[operator, union-attr]  # `setup` made it

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The run keeps its own weights, for its last checkpoint."""

    @contextmanager
    def instead(self, module: LightningModule) -> Iterator[None]:
        """Puts the averages in the place of the weights inside the `with` block."""
        self._swap_models(module)
        try:
            yield
        finally:
            self._swap_models(module)
