"""A whole table: every row with every seed, kept as they end, and what they show."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.errors import ConfigError, ModelError
from wordsight.evaluate.paired import Paired, Right, paired
from wordsight.models.clip4str import Clip4StrConfig
from wordsight_research.ablations import paper
from wordsight_research.ablations.build import Scale, frozen_layers
from wordsight_research.ablations.paper import Paper
from wordsight_research.ablations.rows import TABLES, Row
from wordsight_research.ablations.training import PROTOCOL, Run, Settings, as_array, evaluation, run

log = logging.getLogger(__name__)

PENDING = "not run yet"


def mean_and_spread(right: Right) -> tuple[float, float | None]:
    """Mean accuracy over seeds and its standard deviation; None with one seed."""
    accuracies = right.mean(axis=1)
    return float(accuracies.mean()), float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None


@dataclass(frozen=True)
class Result:
    """A row that has been run, or why not.

    `comparison` is with the row called `against`; None for the first row, and where one of both has not been run.
    """

    row: Row
    status: str
    runs: tuple[Run, ...] = ()
    against: str | None = None
    comparison: Paired | None = None

    @property
    def done(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.runs)


@dataclass(frozen=True)
class Table:
    """All rows of a table."""

    name: str
    scale: Scale
    settings: Settings | Paper
    words: int
    results: tuple[Result, ...]
    sets: Mapping[str, int] = field(default_factory=dict)
    """At the paper's scale: how many of the words are of each set, one set after the other."""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """There, too: how each row that can be run trains."""

    @property
    def protocol(self) -> str:
        """How words count."""
        return paper.PROTOCOL if isinstance(self.settings, Paper) else PROTOCOL

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON: rows with the scores of every seed, what was compared, sizes and seconds."""
        return {
            "table": self.name,
            "protocol": self.protocol,
            "n": self.words,
            **({"sets": dict(self.sets)} if self.sets else {}),
            "scale": _plain(asdict(self.scale)),
            "settings": _plain(asdict(self.settings)),
            "seconds": round(sum(r.seconds for result in self.results for r in result.runs), 1),
            "rows": [_row(result, self.sets) for result in self.results],
        }


def _row(result: Result, sets: Mapping[str, int]) -> dict[str, Any]:
    out: dict[str, Any] = {"name": result.row.name, "status": result.status, "config": _plain(asdict(result.row))}
    if not result.done:
        return out
    right = as_array(result.runs)
    mean, spread = mean_and_spread(right)
    seeds = [
        {k: v for k, v in asdict(r).items() if k != "right"} | {"accuracy": float(x.mean())}
        for r, x in zip(result.runs, right, strict=True)
    ]
    out |= {"accuracy": mean, "spread": spread, "seeds": seeds}
    if sets:
        out["sets"] = by_set(result, sets)
    if result.comparison:
        found = asdict(result.comparison)
        said = ("difference", "low", "high", "smallest", "covers_seeds")
        out |= {"against": result.against, **{key: found[key] for key in said}, "shown": result.comparison.shown}
    return out


def by_set(result: Result, sets: Mapping[str, int]) -> dict[str, float]:
    """Accuracy of a row on each set, as a share, over all its seeds."""
    parts = np.split(as_array(result.runs), np.cumsum(list(sets.values()))[:-1], axis=1)
    return {name: float(part.mean()) for name, part in zip(sets, parts, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def make_table(
    name: str,
    scale: Scale,
    settings: Settings | Paper,
    seeds: int,
    out: Path,
    *,
    only: Sequence[str] = (),
    budget: float = float("inf"),
    say: Callable[[str], None] = log.info,
    bar: bool = False,
) -> Table:
    """Runs what of a table has not been run yet, seed by seed, so that all rows have one seed before any has two.

    Args:
        name: of the table.
        scale: model and weights.
        settings: of the trainings, at a small scale or the paper's.
        seeds: trainings per row.
        out: folder; `out/runs` keeps a file for each training. What is there is not run again. At the paper's scale
            `out/recipes` has the recipe of each, written before any is begun.
        only: names of the rows to train; none for all. The table has the others as far as they are there already.
        budget: seconds after which no training starts; at the paper's scale the running one stops, too, and resumes
            with the next call.
        say: told what is being run.
        bar: whether trainings show their progress.

    Raises:
        ConfigError: there is no such table or row, or only one of ours where the paper's scale is asked for.
        ModelError: a folder to start from holds no checkpoint; nothing is trained then.
    """
    if name not in TABLES:
        raise ConfigError(f"there is no table {name!r}: choose one of {', '.join(TABLES)}")
    rows = TABLES[name]
    names = [row.name for row in rows]
    if unknown := [row for row in only if row not in names]:
        raise ConfigError(f"{name} has no row {unknown[0]!r}: its rows are {', '.join(names)}")
    cfg = scale.config()
    if isinstance(settings, Paper):
        if name not in paper.TABLES:
            raise ConfigError(f"the paper has no table {name!r}: its own are {', '.join(paper.TABLES)}")
        words = paper.words(settings, cfg)
    else:
        samples = evaluation(cfg, settings)
        words = paper.Words(0, samples, {})
    ready = [row for row in rows if scale.missing(row) is None]
    weights = {folder: _weights(folder) for folder in {scale.folder(row) for row in ready} if folder}
    keys = {row.name: _key(row, scale, cfg, settings, weights) for row in ready}
    files = {(row, seed): out / "runs" / f"{key}-{seed}.json" for row, key in keys.items() for seed in range(seeds)}
    recipes: dict[tuple[str, int], Path] = {}
    contents: dict[str, dict[str, Any]] = {}
    if isinstance(settings, Paper):
        for row, seed in ((row, seed) for seed in range(seeds) for row in ready):
            content = paper.recipe(row, scale, settings, seed, words.training, files[row.name, seed].with_suffix(""))
            contents.setdefault(row.name, content)
            slug = "-".join(re.findall(r"\w+", row.name.lower()))
            recipes[row.name, seed] = paper.write(content, out / "recipes" / f"{name}-{slug}-{seed}.yaml")
    deadline = time.monotonic() + budget
    for seed in range(seeds):
        for row in ready:
            file = files[row.name, seed]
            if file.is_file() or (only and row.name not in only):
                continue
            if time.monotonic() > deadline:
                say(f"{row.name}, seed {seed}: the budget is used up; run the command again to continue")
                continue
            say(f"{row.name}, seed {seed}")
            if isinstance(settings, Paper):
                minutes = (deadline - time.monotonic()) / 60
                one = paper.run(recipes[row.name, seed], row.cross, seed, words.test, minutes)
            else:
                one = run(row, scale, settings, seed, samples, bar)
            if one is None:
                say(f"{row.name}, seed {seed}: the time is up; run the command again to continue")
            else:
                _write(file, one)
    runs = {row.name: _read(files[row.name, seed] for seed in range(seeds)) for row in ready}
    results = tuple(_results(rows, runs, scale))
    return Table(name, scale, settings, len(words.test), results, words.sets, contents)


def _results(rows: Sequence[Row], runs: dict[str, tuple[Run, ...]], scale: Scale) -> Iterator[Result]:
    above: str | None = None
    for row in rows:
        mine = runs.get(row.name, ())
        if not mine:
            yield Result(row, scale.missing(row) or PENDING)
            continue
        against = above if row.against == "previous" else row.against
        comparison = None
        if against and against != row.name and runs.get(against):
            comparison = paired(as_array(mine), as_array(runs[against]), same_start=False)
        yield Result(row, "done", mine, against, comparison)
        above = row.name


def _weights(folder: Path) -> str:
    """A name that changes with what is in a checkpoint folder, not with the folder.

    Raises:
        ModelError: it is none.
    """
    try:
        with (folder / "model.safetensors").open("rb") as file:
            return (folder / "config.json").read_text(encoding="utf-8") + file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} is not a checkpoint folder ({error}): give one that was trained or converted"
        ) from None


def _key(row: Row, scale: Scale, cfg: Clip4StrConfig, settings: Settings | Paper, weights: Mapping[Path, str]) -> str:
    """A name that changes with all that a training of a row depends on, and with nothing else.

    Rows that come to the same (freezing 3 and 4 of 12 layers where there are 3) share their trainings. `weights` are
    those in every folder from which rows start.
    """
    folder = scale.folder(row)
    start = weights[folder] if folder else None
    text, image = frozen_layers(row.freeze_text, cfg.text.layers), frozen_layers(row.freeze_image, cfg.image.layers)
    token = row.freeze_text == "token"
    same = {"name": "", "against": "", "freeze_text": "token" if token else text, "freeze_image": image}
    large = scale.large if row.large else None
    later = ("shape",)  # fields that older files know nothing of
    kept = {name: value for name, value in asdict(row).items() if value or name not in later}
    model = cfg.to_dict()
    if not model["decoder"]["packed_init"]:  # likewise
        del model["decoder"]["packed_init"]
    trained = settings.facts() if isinstance(settings, Paper) else asdict(settings) | {"workers": 0}
    facts = [kept | same, model, large, start, trained]
    return sha256(json.dumps(_plain(facts), sort_keys=True).encode()).hexdigest()[:12]


def _write(file: Path, run: Run) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(run)) + "\n")
    part.replace(file)


def _read(files: Iterator[Path]) -> tuple[Run, ...]:
    return tuple(Run(**json.loads(file.read_text())) for file in files if file.is_file())
