"""What a run shows of itself: the learning rate in its logs, and a page with its learning curve."""

from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from wordsight.train.curves import write_report


class Records(Callback):
    """Logs `train/lr`, the encoder's; writes `report.html` into the run's folder, at each validation and at the end."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Log the rate that this step trains at."""
        pl_module.log("train/lr", trainer.optimizers[0].param_groups[0]["lr"], batch_size=1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the page, unless Lightning is only trying out the validation loop."""
        if not trainer.sanity_checking:
            self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the page."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()
            write_report(Path(trainer.default_root_dir))
