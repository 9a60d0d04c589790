"""The common test sets by name, the suites that papers report on, and published scores."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

from wordsight.errors import ConfigError, DataError
from wordsight.evaluate.metrics import Score


@dataclass(frozen=True)
class Benchmark:
    """A test set: its name in tables, the samples that published tables count, and other names of its folder."""

    name: str
    n: int
    aliases: Sequence[str] = ()


@dataclass(frozen=True)
class Suite:
    """The test sets of a table in the literature.

    Attributes:
        name: its name for `--protocol`.
        protocol: name of the protocol by which its samples count.
        groups: title -> sets that are averaged together. A set may be in several.
        summary: a one-line description.
    """

    name: str
    protocol: str
    groups: Mapping[str, Sequence[str]]
    summary: str

    @property
    def sets(self) -> tuple[str, ...]:
        """All its sets, each once."""
        return tuple(dict.fromkeys(name for group in self.groups.values() for name in group))


_LISTED = tomllib.loads(Path(__file__).with_name("benchmarks.toml").read_text(encoding="utf-8"))
BENCHMARKS: dict[str, Benchmark] = {name: Benchmark(name, **one) for name, one in _LISTED["sets"].items()}
"""All test sets by name."""
SUITES: dict[str, Suite] = {name: Suite(name, **one) for name, one in _LISTED["suites"].items()}
"""All suites by name."""


def find_suite(name: str) -> Suite:
    """The suite called `name`.

    Raises:
        ConfigError: there is none.
    """
    if name not in SUITES:
        raise ConfigError(f"there is no benchmark suite {name!r}: choose from {', '.join(SUITES)}")
    return SUITES[name]


def locate(places: Iterable[PurePath], suite: Suite) -> dict[str, PurePath]:
    """Which of the relative folders `places`, or folders above them, are the suite's sets, by their names.

    Case and punctuation do not matter. Folders below `train` or `val` are ignored, as training sets have the same
    names.

    Raises:
        DataError: a set is found twice, or none is found.
    """
    names = {_folded(n): name for name in suite.sets for n in (name, *BENCHMARKS[name].aliases)}
    found: dict[str, PurePath] = {}
    for place in places:
        folded = [_folded(part) for part in place.parts]
        if not {"train", "training", "val", "validation"}.isdisjoint(folded):
            continue
        depth = next((depth for depth, part in enumerate(folded) if part in names), None)
        if depth is None:
            continue
        folder = PurePath(*place.parts[: depth + 1])
        name = names[folded[depth]]
        if found.setdefault(name, folder) != folder:
            raise DataError(
                f"{name} was found twice, in {found[name]} and {folder}: name a folder that holds only one of them"
            )
    if not found:
        wanted = ", ".join(suite.sets)
        raise DataError(f"none of the sets of {suite.name} is there: name a folder with folders called {wanted}")
    return {name: found[name] for name in suite.sets if name in found}


def _folded(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def remarks(suite: Suite, scores: Sequence[Score]) -> list[str]:
    """What prevents comparison with published scores: sets that are missing or have other counts."""
    said = []
    counted = {score.dataset: score for score in scores}
    for name in suite.sets:
        if name in counted and (n := counted[name].n) != BENCHMARKS[name].n:
            total = n + sum(counted[name].left_out.values())
            said.append(f"{name}: {n} samples count here (of {total}), {BENCHMARKS[name].n} in published tables")
    if missing := [f"{name} ({BENCHMARKS[name].n})" for name in suite.sets if name not in counted]:
        said.append(f"not there: {', '.join(missing)}; averages without them compare with nothing published")
    return said


@dataclass(frozen=True)
class ComparedModel:
    """A model's accuracies on the sets of a group, as shares of 1; None if unknown."""

    model: str
    source: str
    scores: dict[str, float | None]
    weighted: float | None
    arithmetic: float | None


@dataclass(frozen=True)
class Comparison:
    """Our scores on a group of sets above published ones. `counts` are the published numbers of samples."""

    group: str
    counts: dict[str, int]
    models: tuple[ComparedModel, ...]


@dataclass(frozen=True)
class Published:
    """A row of a published table: accuracies in percent by set, and by group if only a mean is published."""

    model: str
    suite: str
    source: str
    scores: Mapping[str, float]
    means: Mapping[str, float] = field(default_factory=dict)


@cache
def published() -> tuple[Published, ...]:
    """Published scores, from published.json, each with its source."""
    text = Path(__file__).with_name("published.json").read_text(encoding="utf-8")
    return tuple(Published(**entry) for entry in json.loads(text)["models"])


def compare(model: str, suite: Suite, scores: Sequence[Score]) -> list[Comparison]:
    """The scores of `model` and published ones on the same sets, group by group.

    Averages are over complete groups only: weighted by samples (for published models by the published counts), and the
    mean of the sets. If a publication only gives a group's mean, that is used.
    """
    counted = {score.dataset: score for score in scores if score.n}
    out = []
    for group, sets in suite.groups.items():
        counts = {name: BENCHMARKS[name].n for name in sets}
        ours = {name: counted[name].accuracy if name in counted else None for name in sets}
        mine = {name: counted[name].n for name in sets if name in counted}
        rows = [ComparedModel(model, "this run", ours, *_averages(ours, mine))]
        for other in published():
            if other.suite != suite.name:
                continue
            theirs = {name: other.scores[name] / 100 if name in other.scores else None for name in sets}
            weighted, arithmetic = _averages(theirs, counts)
            if arithmetic is None and group in other.means:
                arithmetic = other.means[group] / 100
            if arithmetic is not None or any(value is not None for value in theirs.values()):
                rows.append(ComparedModel(other.model, other.source, theirs, weighted, arithmetic))
        out.append(Comparison(group, counts, tuple(rows)))
    return out


def _averages(scores: Mapping[str, float | None], counts: Mapping[str, int]) -> tuple[float | None, float | None]:
    """Averages over all samples and over the sets; None if a set is missing."""
    known = {name: score for name, score in scores.items() if score is not None}
    if len(known) < len(scores):
        return None, None
    total = sum(counts[name] for name in known)
    return sum(score * counts[name] for name, score in known.items()) / total, sum(known.values()) / len(known)
