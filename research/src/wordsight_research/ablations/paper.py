"""The rows of the paper's tables as the paper trained them: each is a recipe, trained by `wordsight train`.

| what | where it comes from |
|---|---|
| AdamW 0.9, 0.98; weight decay 0.2; one cycle, 7.5 % of it upwards; gradients clipped at 20 | spec 3.1 |
| towers 8.4e-5 for each 512 crops of a step, decoders 19 times that | spec 3.1 |
| 1024 crops a step (L/14: 960), 16 passes over the words (L/14: 10), words of all lengths in a step | spec 3.2 |
| mixed precision, bfloat16 for their float16 | spec 3.1 |
| RandAugment as PARSeq's, orders redrawn for each device and round of accumulation | spec 3.4, released code |
| PARSeq's own recipe: one rate, 1.48e-3 for 768 crops, no weight decay, 20 passes | its released configuration |
| PARSeq's recipe with a tower of ViT-B's size: one rate, 1.68e-4 for 1024 crops | scripts/parseq.sh |
| LST: 2.26e-3 for 1024 crops, decoders 19 times that | scripts/str_adapter.sh |
| CLIP-Adapter learns at the decoders' rate | released code |
"""

import csv
import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]

from wordsight.data import JoinedSource, Sample, Source, View, filter_labels, find_sources, open_source
from wordsight.errors import ConfigError, DataError
from wordsight.evaluate import Protocol, find_suite, locate
from wordsight.models import checkpoint
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4StrConfig
from wordsight.models.peft import PeftConfig
from wordsight.train import Recognition
from wordsight.train.config import FreezingConfig, ObjectiveConfig
from wordsight_research.ablations.build import Scale, frozen_layers
from wordsight_research.ablations.rows import Row
from wordsight_research.ablations.training import RATE_RATIO, Run, read

TABLES = ("components", "freezing", "pretraining", "peft")
"""The paper's; the others are ours."""

TOWER_RATE = 8.4e-5  # for 512 crops
PARSEQ_RATE = 7e-4 * math.sqrt(2) * 384 / 256  # for 768 crops, two devices of 384
LST_RATE = 8e-4 * math.sqrt(2) * 512 / 256  # for 1024 crops, two devices of 512

PROTOCOL = "parseq-36"
SUITE = "parseq-full"
"""Whose sets are read: the paper's nine, and COCO, ArT and Uber where they are there."""


@dataclass(frozen=True)
class Paper:
    """What every training of a table shares.

    Attributes:
        real: data sets to train on.
        benchmarks: folder with the field's test sets, by which rows are scored.
        steps: optimiser steps of every row instead of the paper's passes over the words. None: those.
        devices: to train on.
        batch_size: crops that a device sees at once, at most.
        workers: processes that read, for each device.
    """

    real: tuple[Path, ...]
    benchmarks: Path
    steps: int | None = None
    devices: int = 1
    batch_size: int = 128
    workers: int = 8

    plain = False

    def facts(self) -> dict[str, Any]:
        """What a training depends on: dropout apart, not on how many devices share a step."""
        return {"paper": True, "real": [str(path) for path in self.real], "steps": self.steps}


@dataclass(frozen=True)
class Words:
    """What is trained on and read.

    Attributes:
        training: how many words there are to train on, where that is known.
        test: all words that count, set after set.
        sets: how many of them each set has, in the same order, where there are any.
    """

    training: int
    test: Sequence[Sample] | Source
    sets: Mapping[str, int]


def words(paper: Paper, cfg: Clip4StrConfig) -> Words:
    """Open what is trained on and what is read.

    Raises:
        DataError: a set is missing, or there is nothing to train on.
    """
    training = sum(len(filter_labels(open_source(path), cfg.charset, cfg.max_length)[0]) for path in paper.real)
    if not training:
        raise DataError("there are no words to train on: name them with --real")
    if not paper.benchmarks.is_dir():
        raise DataError(f"{paper.benchmarks}: no such folder: name one with the field's test sets")
    suite = find_suite(SUITE)
    protocol = Protocol.named(PROTOCOL)
    folders = [folder.relative_to(paper.benchmarks) for folder in find_sources(paper.benchmarks)]
    parts: dict[str, View] = {}
    for name, place in locate(folders, suite).items():
        source = open_source(paper.benchmarks / place, dataset=name)
        parts[name] = View(source, [i for i in range(len(source)) if not protocol.reject(source.text(i))])
    return Words(training, JoinedSource(list(parts.values())), {name: len(part) for name, part in parts.items()})


def recipe(row: Row, scale: Scale, paper: Paper, seed: int, training: int, folder: Path) -> dict[str, Any]:
    """A row as a recipe of `wordsight train`, plain types only.

    Args:
        row: what to train.
        scale: models and weights.
        paper: data and devices.
        seed: of everything random.
        training: words to train on.
        folder: of the run.

    Raises:
        ConfigError: so many devices cannot share a step of the paper's size.
    """
    total = 960 if row.large else 1024
    fitting = [size for size in range(1, paper.batch_size + 1) if total % (paper.devices * size) == 0]
    if not fitting:
        raise ConfigError(f"{row.name}: {paper.devices} devices cannot share a step of {total} crops: change --devices")
    by_parseq = not row.two_rates and row.peft is None  # rows before "+ recipe", and those about pre-training
    name = "parseq-small" if row.small_patches else (scale.large or "clip4str-l14") if row.large else scale.model
    start = None if row.small_patches else scale.folder(row)
    model: dict[str, Any] = {
        "model": name,
        "start": str(start) if start else None,
        "optimiser": _rates(row, total) | {"weight_decay": 0.0 if by_parseq else 0.2, "schedule": "one-cycle"},
        "objective": {"orders": "part"},
        "seed": seed,
    }
    if row.permutations:
        model["objective"]["num_permutations"] = row.permutations
    if not row.small_patches:
        cfg = CLIP4STR_PRESETS[name]
        text_layers = frozen_layers(row.freeze_text, cfg.text.layers)
        model["objective"]["cross_from"] = 0 if row.cross else None
        model["freezing"] = {
            "text_layers": "token" if row.freeze_text == "token" else text_layers,
            "image_layers": frozen_layers(row.freeze_image, cfg.image.layers),
            "peft": asdict(row.peft) | {"blocks": [], "towers": list(row.peft.towers)} if row.peft else None,
        }
    passes = 10 if row.large else 20 if row.small_patches else 16
    steps = paper.steps or max(1, round(passes * training / total))
    return {
        "model": model,
        "data": {
            "real": [str(path) for path in paper.real],
            "real_share": 1.0,
            "augmentation": "randaugment",
            "batch_size": fitting[-1],
            "total_batch": total,
            "pool": 1,
            "workers": paper.workers,
            "validation_share": 0.0,
            "seed": seed,
        },
        "trainer": {
            "accelerator": "auto",
            "devices": paper.devices,
            "strategy": "ddp" if paper.devices > 1 else "auto",
            "precision": "bf16-mixed",
            "max_steps": steps,
            "max_epochs": -1,
            "val_check_interval": 2000,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "gradient_clip_val": 20.0,
            "log_every_n_steps": min(50, steps),
            "default_root_dir": str(folder),
        },
    }


def _rates(row: Row, total: int) -> dict[str, float]:
    towers = TOWER_RATE * total / 512
    if row.small_patches:
        rate, scale = PARSEQ_RATE * total / 768, 1.0
    elif row.peft and row.peft.kind == "ladder":
        rate, scale = LST_RATE * total / 1024, RATE_RATIO
    elif row.peft:
        rate, scale = RATE_RATIO * towers, 1.0  # the towers stand still: what is new learns as decoders do
    else:
        rate, scale = towers, RATE_RATIO if row.two_rates else 1.0
    return {"lr": float(f"{rate:.4g}"), "decoder_lr_scale": scale}


def write(content: Mapping[str, Any], file: Path) -> Path:
    """A recipe as a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    return file


def run(file: Path, cross: bool, seed: int, samples: Sequence[Sample] | Source, minutes: float) -> Run | None:
    """Train what the recipe `file` says in a process of its own, or resume it, and read `samples`.

    Args:
        file: a recipe that `write` wrote.
        cross: whether the cross-modal branch is trained and reads.
        seed: of the training.
        samples: words to read in the end.
        minutes: after which the training stops, to be resumed by the next call.

    Returns:
        What it came to; None where the time was not enough.

    Raises:
        ConfigError: the training failed; it has said why.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    folder = Path(content["trainer"]["default_root_dir"])
    clock = folder / "seconds.txt"
    seconds = float(clock.read_text()) if clock.is_file() else 0.0
    if _steps(folder) < content["trainer"]["max_steps"]:
        flags = [f"--ckpt_path={folder / 'last.ckpt'}"] if (folder / "last.ckpt").is_file() else []
        flags += [f"--minutes={minutes:.2f}"] if math.isfinite(minutes) else []
        began = time.perf_counter()
        command = [sys.executable, "-m", "wordsight.cli.main", "train", str(file), *flags]
        done = subprocess.run(command, check=False)  # noqa: S603
        seconds += time.perf_counter() - began
        folder.mkdir(parents=True, exist_ok=True)
        clock.write_text(f"{seconds:.1f}\n")
        if done.returncode:
            raise ConfigError(f"{file}: the training failed (see above): fix the cause and run the command again")
        if _steps(folder) < content["trainer"]["max_steps"]:
            return None
    model, _ = checkpoint.load(folder / "model")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    marks = "".join("1" if right else "0" for right in read(model.to(device), cross, samples, PROTOCOL))
    return Run(seed, marks, *_parameters(content["model"]), _last_loss(folder), round(seconds, 1), _steps(folder))


def _steps(folder: Path) -> int:
    """How many the run's model has behind it."""
    file = folder / "model" / "config.json"
    return int(json.loads(file.read_text())["about"]["steps"]) if file.is_file() else 0


def _parameters(options: Mapping[str, Any]) -> tuple[int, int]:
    """Of the parts that are used, and those of them that train."""
    objective, freezing = ObjectiveConfig(**options["objective"]), dict(options.get("freezing", {}))
    if freezing.get("peft"):
        freezing["peft"] = PeftConfig.from_dict(freezing["peft"])
    start = options["start"] and Path(options["start"])
    model = Recognition(options["model"], start, objective=objective, freezing=FreezingConfig(**freezing)).model
    unused = ("text_tower.", "cross_decoder.") if objective.cross_from is None else ("-",)
    used = [parameter for name, parameter in model.named_parameters() if not name.startswith(unused)]
    return sum(p.numel() for p in used), sum(p.numel() for p in used if p.requires_grad)


def _last_loss(folder: Path) -> float:
    """As it was logged last."""
    files = sorted((folder / "csv").glob("version_*/metrics.csv"), key=lambda file: file.stat().st_mtime)
    losses = [row["train/loss"] for file in files for row in csv.DictReader(file.open()) if row.get("train/loss")]
    return round(float(losses[-1]), 4) if losses else float("nan")
