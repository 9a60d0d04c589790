"""All arms of an experiment with all seeds: trained once, read under all conditions, each kept as it ends."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from wordsight.models import checkpoint
from wordsight.models.clipter import insert
from wordsight.models.clipter.model import Gate
from wordsight_research.context.arms import REAL, Arm, Condition, Experiment, conditions_of
from wordsight_research.context.fit import Fit, fit, read
from wordsight_research.context.gaze import gaze
from wordsight_research.context.lab import Laboratory, key
from wordsight_research.context.speed import Timed, Times, machine, speeds
from wordsight_research.context.views import rivals

_OPEN = 20.0
"""tanh of this is 1 in float32."""


@dataclass(frozen=True)
class Run:
    """One training of an arm with one seed, over all folds of its data.

    Attributes:
        seed: of the second stage; the first is the same for all.
        texts: condition to what was read, word for word.
        available: condition to how many words had a scene.
        gates: place to the gate's value every ten steps, of the first fold.
        parameters: of recognizer and fusions.
        added: those of the fusions.
        loss: mean over the last steps, of the first fold.
        seconds: of the second stage, all folds.
        speed: see `speeds`; empty where it was not measured.
        gaze: see `gaze`; likewise.
        found: condition to what was read in the boxes of a detector, fold after fold.
    """

    seed: int
    texts: dict[str, list[str]]
    available: dict[str, int]
    gates: dict[str, list[float]]
    parameters: int
    added: int
    loss: float
    seconds: float
    speed: Times
    gaze: dict[str, float]
    found: dict[str, list[str]]


@dataclass(frozen=True)
class Outcome:
    """What has been run of an experiment: arm to its runs."""

    experiment: Experiment
    lab: Laboratory
    runs: dict[str, tuple[Run, ...]]
    machine: str = ""
    """What speeds were measured on."""


def run_experiment(
    experiment: Experiment,
    lab: Laboratory,
    seeds: int,
    budget: float = float("inf"),
    bar: Callable[[list[tuple[int, Arm]]], Iterable[tuple[int, Arm]]] = list,
) -> Outcome:
    """Runs what has not been run yet, seed by seed, so that all arms have one seed before any has two.

    Args:
        experiment: which.
        lab: where words, encoders and stage one come from, and where everything is kept.
        seeds: second stages per arm.
        budget: seconds after which no training is begun.
        bar: wraps the trainings, to show how many are done.

    Raises:
        WordsightError: data or a model are not available, or a training diverged.
    """
    deadline = time.monotonic() + budget
    runs: dict[str, list[Run]] = {arm.name: [] for arm in experiment.arms}
    for seed, arm in bar([(seed, arm) for seed in range(seeds) for arm in experiment.arms]):
        if found := run_arm(arm, experiment.conditions, lab, seed, deadline, experiment.spotted):
            runs[arm.name].append(found)
    timed = {arm.name: arm for arm in experiment.arms if arm.timed and runs[arm.name]}
    for name, times in speeds({name: _timed(arm, lab) for name, arm in timed.items()}).items():
        runs[name][0] = replace(runs[name][0], speed=times)
    return Outcome(experiment, lab, {name: tuple(found) for name, found in runs.items()}, machine() if timed else "")


def _timed(arm: Arm, lab: Laboratory) -> Timed:
    """The first training of an arm, which is there."""
    folder = trained(arm, lab, 0, 0)
    assert folder is not None  # noqa: S101 - it has been run
    model, _ = checkpoint.load(folder)
    return Timed(model, lab.words(arm.source)[0][1], lab.scene_encoder(arm) if arm.clipter else None)


def run_arm(
    arm: Arm,
    conditions: tuple[Condition, ...],
    lab: Laboratory,
    seed: int,
    deadline: float = float("inf"),
    spotted: tuple[Condition, ...] = (),
) -> Run | None:
    """One training and its readings; what is there already is not done again. None: not begun before the deadline."""
    texts: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    available: dict[str, int] = {}
    about: dict[str, Any] = {}
    seconds = 0.0
    for fold in range(len(lab.words(arm.source))):
        folder = trained(arm, lab, seed, fold, deadline)
        if folder is None:
            return None
        model, facts = checkpoint.load(folder)
        seconds += facts["seconds"]
        about = about or facts
        file = folder / "readings.json"
        kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        for condition in conditions_of(arm, conditions):
            words = lab.words(arm.source, condition.jitter)[fold][1]
            name = _reading_key(arm, condition, lab)
            if name not in kept:
                told = lab.told(arm, words, condition.view(arm), seed)
                kept[name] = {
                    "texts": read(model, words, condition.damage or arm.crops, told),
                    "available": int(told.present.sum()) if told is not None else 0,
                }
                _write(file, kept)
            texts.setdefault(condition.name, []).extend(kept[name]["texts"])
            available[condition.name] = available.get(condition.name, 0) + kept[name]["available"]
        boxes = lab.found(arm.source, fold) if spotted else None
        for condition in conditions_of(arm, spotted) if boxes else ():
            name = "found " + _reading_key(arm, condition, lab)
            if boxes is not None and name not in kept:
                told = lab.told(arm, boxes, condition.view(arm), seed)
                kept[name] = read(model, boxes, condition.damage or arm.crops, told)
                _write(file, kept)
            found.setdefault(condition.name, []).extend(kept[name])
        if fold == 0:
            words = lab.words(arm.source)[fold][1]
            if arm.watched and "gaze" not in kept:
                told = lab.told(arm, words, arm.view, seed)
                kept["gaze"] = gaze(model, words, arm.crops, told, lab.scene_encoder(arm)) if told else {}
                _write(file, kept)
            about = about | {name: kept[name] for name in ("gaze",) if name in kept}
    return Run(
        seed,
        texts,
        available,
        about["gates"],
        about["parameters"],
        about["added"],
        about["loss"],
        round(seconds, 1),
        {},
        about.get("gaze", {}),
        found,
    )


def _reading_key(arm: Arm, condition: Condition, lab: Laboratory) -> str:
    one = lab.settings
    damage = condition.damage or arm.crops
    return key(
        asdict(condition.view(arm)), asdict(damage), condition.jitter, one.test_scenes if arm.source.rendered else 0
    )


def trained(arm: Arm, lab: Laboratory, seed: int, fold: int, deadline: float = float("inf")) -> Path | None:
    """Checkpoint folder of a second stage. Arms of several experiments that come to the same share it."""
    one = lab.settings
    start = lab.stage_one(arm, fold)
    plan = Fit(
        one.steps if arm.tuned else 0,
        one.batch_size,
        one.lr,
        seed,
        arm.crops,
        one.scene_dropout if arm.clipter else 0.0,
        mixed=one.mixed,
    )
    encoder = lab.scene_encoder(arm).identity if arm.clipter else ""
    data = one.train_scenes if arm.source.rendered else [str(one.data), fold, one.folds]
    begun = start.name if start.is_relative_to(lab.out) else str(start)
    # Without a fusion nobody is shown anything
    view = arm.view if arm.clipter else REAL
    same = replace(arm, name="", timed=False, watched=False, encoder="", view=view, damage=arm.crops)
    folder = lab.out / "trained" / f"{key(asdict(same), asdict(plan), begun, encoder, data, one.wear)}-{seed}-{fold}"
    if (folder / "config.json").is_file():
        return folder
    if time.monotonic() > deadline:
        lab.say(f"{arm.name}, seed {seed}: the budget is used up; run the command again to continue")
        return None
    words = lab.training(arm, fold)
    told = lab.told(arm, words, arm.view, seed)
    lab.say(f"{arm.name}, seed {seed}{f', fold {fold}' if fold else ''}: {plan.steps} steps on {len(words)} words")
    model, _ = checkpoint.load_recognizer(start)
    torch.manual_seed(seed)
    if arm.clipter:
        insert(model, lab.clipter(arm))
    if arm.gate is not None:
        for gate in (module for module in model.modules() if isinstance(module, Gate)):
            alpha = gate.alpha.requires_grad_(False)
            alpha.data.fill_(_OPEN if arm.gate >= 1 else torch.tensor(arm.gate).atanh().item())
    result = fit(model, words.crops, words.labels, plan, told)
    added = sum(p.numel() for p in getattr(model, "fusions", torch.nn.ModuleDict()).parameters())
    part = folder.with_name(f".{folder.name}.part")
    checkpoint.save(
        model,
        part,
        **asdict(result),
        parameters=sum(p.numel() for p in model.parameters()),
        added=added,
        vocabulary=[v.hash for v in lab.vocabulary(arm, [fold]) or ()],
    )
    part.replace(folder)
    return folder


def rival_words(outcome: Outcome, arm: Arm) -> list[str]:
    """What each test word is taken for by those who believe a misleading scene."""
    return [word for _, test in outcome.lab.words(arm.source) for _, word in rivals(test)]


def _write(file: Path, content: Any) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    part.replace(file)
