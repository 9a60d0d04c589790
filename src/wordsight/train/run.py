"""From a recipe to a running trainer."""

from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from wordsight.train.callbacks import KeepModel
from wordsight.train.data import WordsData
from wordsight.train.module import Recognition


class _RecipeCLI(LightningCLI):
    """A run keeps everything in `trainer.default_root_dir`.

    `last.ckpt` to go on from and the recognizer in `model/`, both written every `trainer.val_check_interval` steps;
    CSV and TensorBoard logs in `csv/` and `tensorboard/`.
    """

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        config = self.config_init["fit"]["trainer"]
        folder = Path(config["default_root_dir"] or "runs")
        # Lightning's own log of which checkpoint is best is of no use here: the newest is what a run goes on from.
        every = int(config["val_check_interval"])
        last = ModelCheckpoint(folder, "step", every_n_train_steps=every, save_last=True, enable_version_counter=False)
        return super().instantiate_trainer(
            callbacks=[KeepModel(), last, *(config["callbacks"] or [])],
            logger=[CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tensorboard")],
            **kwargs,
        )


def run_recipe(recipe: str | Path, overrides: list[str]) -> None:
    """Trains what a YAML recipe says, `overrides` being further command-line flags (`--trainer.max_steps=1000`)."""
    arguments = ["fit", "--config", str(recipe), *overrides]
    _RecipeCLI(Recognition, WordsData, args=arguments, save_config_kwargs={"overwrite": True})
