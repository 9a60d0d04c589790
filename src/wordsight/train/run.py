"""From a recipe to a running trainer."""

from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import lightning
import yaml  # type: ignore[import-untyped]
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from wordsight.errors import ConfigError
from wordsight.files import read_regular
from wordsight.models.quiet import quietly
from wordsight.train.callbacks import KeepCheckpoint, KeepModel, StopOnNaN
from wordsight.train.checkpoints import AtomicCheckpoints
from wordsight.train.curves import Records
from wordsight.train.data import WordsData
from wordsight.train.detection import Detection, KeepDetector
from wordsight.train.detection_data import ScenesData
from wordsight.train.ema import Ema
from wordsight.train.gates import GateWatch, StageOne, scene_facts, summary
from wordsight.train.mistakes import misplaced, mistake
from wordsight.train.module import Recognition
from wordsight.train.streams import KeepPosition

_LARGEST = 1 << 20  # bytes of a recipe, and values in it


class RecipeCLI(LightningCLI):
    """A run keeps everything in `trainer.default_root_dir`.

    `last.ckpt` to resume from and the recognizer in `model/`, every `trainer.val_check_interval` steps and at the end;
    the best one so far in `best/` (not of detectors); `report.html`; logs in `csv/` and, unless `trainer.logger` says
    otherwise, `tensorboard/`.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds our own keys: a recipe may build on another, and a run may be limited in time."""
        parser.add_argument("--base", type=str | None, default=None, help="recipe to build on, beside this one")
        parser.add_argument("--task", type=Literal["recognition", "detection"], default="recognition")
        parser.add_argument(
            "--minutes", type=float | None, default=None, help="stop after this many minutes, to be resumed later"
        )

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """One that raises its errors instead of printing the usage of all options."""
        return super().init_parser(**kwargs | {"exit_on_error": False})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """What is wrong with a recipe or flag, in one line.

        Raises:
            ConfigError: a key is unknown, or its value is not of its type.
        """
        actions = self._subcommand_parsers["fit"]._actions
        kinds = {action.dest: getattr(action, "_typehint", None) for action in actions}
        recipes = [(file, _keys(file)) for file in _recipes(args)]
        if line := misplaced(recipes, kinds):
            raise ConfigError(line)
        try:
            super().parse_arguments(parser, args)
        except ArgumentError as error:
            raise ConfigError(mistake(str(error), args, recipes, kinds)) from None

    def _parse_ckpt_path(self) -> None:
        """Lightning would look for constructor arguments in the checkpoint: ours come from the recipe alone."""

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """A trainer with what every run has."""
        config = self.config_init["fit"]["trainer"]
        folder = Path(config["default_root_dir"] or "runs")
        interval = config["val_check_interval"]
        if interval is None or interval < 1 or interval != int(interval):
            raise ConfigError("trainer.val_check_interval is a number of steps: give it in the recipe")
        keep = KeepCheckpoint(int(interval), self.config_init["fit"]["minutes"])
        callbacks = [StopOnNaN(), *self.own_callbacks(), Records(), keep, *(config["callbacks"] or [])]
        if config["enable_progress_bar"] is not False:  # each refresh waits for the GPU
            callbacks.append(TQDMProgressBar(refresh_rate=config["log_every_n_steps"] or 50))
        if isinstance(self.model, Recognition) and isinstance(self.datamodule, WordsData):
            if config["strategy"] == "ddp" and self.model.objective.cross_from != 0:
                kwargs["strategy"] = "ddp_find_unused_parameters_true"  # until then a branch has no gradients to share
            if (steps := self.datamodule.steps(self.model.model.cfg)) is not None:
                kwargs["max_steps"] = steps
        return super().instantiate_trainer(
            callbacks=callbacks,
            logger=[CSVLogger(folder, "csv"), *_loggers(config["logger"], folder)],
            plugins=[AtomicCheckpoints(), *(config["plugins"] or [])],
            enable_checkpointing=False,  # `KeepCheckpoint` does that
            enable_model_summary=bool(config["enable_model_summary"]),
            use_distributed_sampler=False,  # ranks share the batches by their numbers
            **kwargs,
        )

    def own_callbacks(self) -> list[Any]:
        """Callbacks of what is trained. The average is updated before a checkpoint is written."""
        if not isinstance(self.model, Recognition):
            return [KeepDetector()]
        averages = Ema(self.model.optimiser.ema) if self.model.optimiser.ema else None
        return [GateWatch(), StageOne(), *([averages] if averages else []), KeepModel(averages), KeepPosition()]


def _loggers(given: Any, folder: Path) -> list[Any]:
    """The other loggers, as `trainer.logger` says: by default TensorBoard."""
    if given is None or given is True:
        return [TensorBoardLogger(folder, "tensorboard")]
    if given is False:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def run_recipe(recipe: str | Path, overrides: list[str]) -> str:
    """Trains what a YAML recipe says, `overrides` being further command-line flags (`--trainer.max_steps=1000`).

    Returns where the result is and, of a recognizer that takes scenes, what they were good for; it is empty on
    other ranks.
    """
    command = arguments(recipe, overrides)
    options: dict[str, Any] = {"save_config_kwargs": {"overwrite": True}, "seed_everything_default": 0}
    with quietly("lightning.pytorch", "lightning.fabric"):
        # Processes that Lightning starts for further devices run the same command line again, so it must stay.
        tasks = (task for file in _recipes(command) if (task := _keys(file).get("task")))
        model, data = (Detection, ScenesData) if next(tasks, None) == "detection" else (Recognition, WordsData)
        done = RecipeCLI(model, data, args=command, **options)
    if not done.trainer.is_global_zero:
        return ""
    facts = scene_facts(done.model, done.trainer.callback_metrics) if isinstance(done.model, Recognition) else {}
    return "\n".join(filter(None, (summary(facts), _result(done.trainer))))


def _result(trainer: lightning.Trainer) -> str:
    """Where the result of the run is, and how good it is."""
    found = trainer.callback_metrics
    shown = ((found[key], what) for key, what in _SCORES.items() if key in found)
    scores = "".join(f", {float(value):.1f} % {what}" for value, what in shown)
    folder = Path(trainer.default_root_dir)
    return f"step {trainer.global_step}{scores}; {folder / 'model'}, {folder / 'report.html'}"


_SCORES = {"val/accuracy": "of validation words right", "val/hmean": "H-mean of validation scenes"}


def arguments(recipe: str | Path, overrides: list[str]) -> list[str]:
    """The command line of a recipe: what it builds on (`base: FILE`, beside it) comes first.

    Raises:
        ConfigError: one of them is no YAML file with keys, or they build on each other in a circle.
    """
    files = [Path(recipe)]
    while base := _keys(files[0]).get("base"):
        if not isinstance(base, str):
            raise ConfigError(f"{files[0]}: base {base!r} is not the name of a file")
        following = files[0].parent / base
        if following.resolve() in [file.resolve() for file in files]:
            raise ConfigError(f"{files[0]}: base {base} is circular: build on another recipe")
        files.insert(0, following)
    return ["fit", *(part for file in files for part in ("--config", str(file))), *overrides]


def _recipes(command: Sequence[str]) -> list[Path]:
    """The recipes in a command line, the last one first, since it overrides the others."""
    recipes = [command[i + 1] for i, part in enumerate(command[:-1]) if part == "--config"]
    recipes += [part.removeprefix("--config=") for part in command if part.startswith("--config=")]
    return [Path(recipe) for recipe in reversed(recipes)]


def _keys(recipe: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(read_regular(recipe, _LARGEST))
        size = _size(content, {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{recipe}: not a recipe: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{recipe}: not a recipe: write keys like in recipes/latin.yaml")
    if size > _LARGEST:
        raise ConfigError(f"{recipe}: not a recipe: its anchors expand to {size} values")
    return content


def _size(content: Any, known: dict[int, int]) -> int:
    """How many values there are once every alias is written out."""
    if not isinstance(content, dict | list):
        return 1
    if id(content) not in known:
        known[id(content)] = _LARGEST  # one that holds itself never ends
        parts = [*content, *content.values()] if isinstance(content, dict) else content
        known[id(content)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(content)]
