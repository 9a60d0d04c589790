"""What happens beside a training run."""

from pathlib import Path

import lightning

from wordsight.models import checkpoint
from wordsight.train.data import WordsData
from wordsight.train.module import Recognition


class KeepModel(lightning.Callback):
    """Writes the recognizer as a checkpoint folder `model/` in the run's folder, at each validation and at the end."""

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write it, unless Lightning is only trying out the validation loop."""
        if not trainer.sanity_checking:
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write it."""
        self._write(trainer, pl_module)

    def _write(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.is_global_zero and isinstance(module, Recognition) and isinstance(data, WordsData):
            accuracy = trainer.callback_metrics.get("val/accuracy")
            checkpoint.save(
                module.model,
                Path(trainer.default_root_dir) / "model",
                steps=trainer.global_step,
                cross=module.cross,
                data=data.describe(),
                validation_accuracy=None if accuracy is None else round(float(accuracy), 2),
            )
