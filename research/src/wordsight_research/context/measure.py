"""From readings to scores and comparisons: all words, in and out of vocabulary, and other parts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from wordsight.evaluate import Protocol, SpottingScore, score_spotting, similarity
from wordsight.evaluate.paired import Paired, Right, paired
from wordsight_research.context.arms import Arm, Contrast, condition_for, conditions_of
from wordsight_research.context.data import Words
from wordsight_research.context.detected import pairs_of
from wordsight_research.context.run import Outcome, Run, rival_words
from wordsight_research.context.strata import Mask, Vocabulary, by_kind, by_length, repeated

PROTOCOL = Protocol.named("36")

LEAST = 5
"""Parts with fewer words are not compared."""


@dataclass(frozen=True)
class Scored:
    """An arm under a condition.

    Attributes:
        accuracies: of every seed, as shares; `iv` and `oov` those of words that training had and had not, means over
            seeds, NaN where there are none.
        ned: 1-NED, mean over words and seeds.
        available: words that had a scene, of n.
    """

    arm: str
    condition: str
    accuracies: tuple[float, ...]
    iv: float
    oov: float
    ned: float
    available: int
    n: int

    @property
    def mean(self) -> float:
        """Accuracy over all seeds."""
        return sum(self.accuracies) / len(self.accuracies)

    @property
    def spread(self) -> float | None:
        """Standard deviation from seed to seed; None of one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


@dataclass(frozen=True)
class Compared:
    """A contrast: part of the test words ("all", "IV", "OOV", ...) to what it comes to there."""

    contrast: Contrast
    parts: dict[str, Paired]


@dataclass(frozen=True)
class Misled:
    """How words were read under a condition: as printed, as the rival that the scene suggests, as anything else.

    `changed` is the share whose reading is another than with the word's own scene. Shares, means over seeds.
    """

    arm: str
    condition: str
    printed: float
    rival: float
    other: float
    changed: float


class Measured:
    """Scores of an outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.experiment = outcome.experiment
        self._tests: dict[str, Words] = {}
        self._parts: dict[str, dict[str, Mask]] = {}

    def runs(self, arm: str) -> tuple[Run, ...]:
        """Of an arm; none where nothing has been run."""
        return self.outcome.runs.get(arm, ())

    def labels(self, arm: Arm) -> list[str]:
        """Test labels, fold after fold."""
        return [label for _, test in self.outcome.lab.words(arm.source) for label in test.labels]

    def clusters(self, arm: Arm) -> npt.NDArray[np.int64]:
        """(n,) the scene of every test word."""
        parts, start = [], 0
        for _, test in self.outcome.lab.words(arm.source):
            parts.append(test.of + start)
            start += int(test.of.max()) + 1
        return np.concatenate(parts)

    def right(self, arm: Arm, condition: str) -> Right:
        """(seeds, n) which words were read right."""
        labels = [comparable(label, arm) for label in self.labels(arm)]
        rows = [[comparable(t, arm) for t in run.texts[condition]] for run in self.runs(arm.name)]
        return np.array([[a == b for a, b in zip(row, labels, strict=True)] for row in rows], dtype=bool)

    def parts(self, arm: Arm) -> dict[str, Mask]:
        """IV and OOV words, and the parts that the experiment asks for."""
        if arm.name not in self._parts:
            self._parts[arm.name] = self._split(arm)
        return self._parts[arm.name]

    def _split(self, arm: Arm) -> dict[str, Mask]:
        lab, strata = self.outcome.lab, self.experiment.strata
        tests = [test for _, test in lab.words(arm.source)]
        labels = self.labels(arm)
        vocabularies = lab.vocabulary(arm, range(len(tests)))
        exact = lab.vocabulary(arm, range(len(tests)), folded=False)
        out: dict[str, Mask] = {}
        if vocabularies is not None:
            known = _known(vocabularies, tests)
            out = {"IV": known, "OOV": ~known}
        if "folded" in strata and exact is not None:
            cased = _known(exact, tests)
            out |= {"IV, case counts": cased, "OOV, case counts": ~cased}
        if "length" in strata:
            out |= by_length(labels)
        if "length" in strata and vocabularies is not None:
            out |= {f"OOV, {title}": mask & ~known for title, mask in by_length(labels).items()}
            out |= {f"IV, {title}": mask & known for title, mask in by_length(labels).items()}
        if "seen" in strata and vocabularies is not None and exact is not None and len(vocabularies) == 1:
            out |= vocabularies[0].by_frequency(labels)
        if "kind" in strata:
            out |= by_kind(labels)
        if "repeated" in strata:
            twice = np.concatenate([_repeated(test, arm) for test in tests])
            out |= {"repeated in the scene": twice, "once in the scene": ~twice}
        if "street" in strata:
            street = np.concatenate([test.street for test in tests])
            out |= {"street": street, "elsewhere": ~street}
        return {title: mask for title, mask in out.items() if mask.any()}

    @cached_property
    def scores(self) -> list[Scored]:
        """Every arm that has been run, under every condition."""
        out = []
        for arm in self.experiment.arms:
            runs = self.runs(arm.name)
            for condition in conditions_of(arm, self.experiment.conditions) if runs else ():
                right, labels = self.right(arm, condition.name), self.labels(arm)
                parts, none = self.parts(arm), np.zeros(len(labels), bool)
                known, unknown = parts.get("IV", none), parts.get("OOV", none)
                out.append(
                    Scored(
                        arm.name,
                        condition.name if arm.clipter else bare(condition.name),
                        tuple(float(x) for x in right.mean(axis=1)),
                        float(right[:, known].mean()) if known.any() else float("nan"),
                        float(right[:, unknown].mean()) if unknown.any() else float("nan"),
                        self._ned(arm, condition.name, labels),
                        min(run.available[condition.name] for run in runs),
                        len(labels),
                    )
                )
        return out

    def _ned(self, arm: Arm, condition: str, labels: list[str]) -> float:
        pairs = [
            similarity(comparable(label, arm), comparable(text, arm))
            for run in self.runs(arm.name)
            for label, text in zip(labels, run.texts[condition], strict=True)
        ]
        return float(np.mean(pairs))

    @cached_property
    def contrasts(self) -> list[Compared]:
        """Every contrast whose two sides have been run; by seeds that both have."""
        out = []
        for contrast in self.experiment.contrasts:
            one, other = self.experiment.arm(contrast.arm), self.experiment.arm(contrast.other)
            if not self.runs(one.name) or not self.runs(other.name):
                continue
            a = self.right(one, condition_for(one, contrast.condition, self.experiment.conditions))
            b = self.right(other, condition_for(other, contrast.other_condition, self.experiment.conditions))
            seeds = min(len(a), len(b))
            a, b, clusters = a[:seeds], b[:seeds], self.clusters(one)
            parts = {"all": paired(a, b, clusters)}
            for title, mask in self.parts(one).items():
                if mask.sum() >= LEAST:
                    parts[title] = paired(a[:, mask], b[:, mask], clusters[mask])
            out.append(Compared(contrast, parts))
        return out

    @cached_property
    def spotting(self) -> list[tuple[str, str, SpottingScore]]:
        """(arm, condition, counts summed over seeds) end to end, where a detector has looked."""
        out = []
        for arm in self.experiment.arms:
            runs = self.runs(arm.name)
            for condition in conditions_of(arm, self.experiment.spotted):
                if not any(condition.name in run.found for run in runs):
                    continue
                scenes = []
                for run in runs:
                    start = 0
                    for fold in range(len(self.outcome.lab.words(arm.source))):
                        boxes = self.outcome.lab.found(arm.source, fold)
                        assert boxes is not None  # noqa: S101 -- something was found
                        part = run.found[condition.name][start : start + len(boxes)]
                        start += len(boxes)
                        tests = dict.fromkeys(self.outcome.lab.words(arm.source)[fold][1].scenes)
                        scenes += pairs_of(boxes, part, list(tests))
                shown = condition.name if arm.clipter else bare(condition.name)
                out.append((arm.name, shown, score_spotting(scenes)))
        return out

    @cached_property
    def misled(self) -> list[Misled]:
        """What scenes made of words, where the experiment has misleading ones."""
        out: list[Misled] = []
        if not any(c.of == "misleading" for c in self.experiment.conditions):
            return out
        for arm in self.experiment.arms:
            runs = self.runs(arm.name)
            conditions = conditions_of(arm, self.experiment.conditions)
            if not runs:
                continue
            rivals = [comparable(word, arm) for word in rival_words(self.outcome, arm)]
            labels = [comparable(label, arm) for label in self.labels(arm)]
            for condition in conditions:
                first = next(c for c in conditions if c.damage == condition.damage)
                counts = np.zeros(3)
                for run in runs:
                    texts = [comparable(text, arm) for text in run.texts[condition.name]]
                    own = [comparable(text, arm) for text in run.texts[first.name]]
                    printed = np.array([t == label for t, label in zip(texts, labels, strict=True)])
                    rival = ~printed & np.array([t == r for t, r in zip(texts, rivals, strict=True)])
                    changed = np.mean([t != o for t, o in zip(texts, own, strict=True)])
                    counts += np.array([printed.mean(), rival.mean(), changed]) / len(runs)
                printed_share, rival_share, change = (float(x) for x in counts)
                other = 1 - printed_share - rival_share
                out.append(Misled(arm.name, condition.name, printed_share, rival_share, other, change))
        return out


def comparable(text: str, arm: Arm) -> str:
    """A label or reading as it is compared: by protocol 36; in other scripts with case ignored."""
    return text.casefold() if arm.source.script else PROTOCOL.label(text)


def _repeated(test: Words, arm: Arm) -> Mask:
    labels = [comparable(label, arm) for label in test.labels]
    return repeated(labels, test.of.tolist(), [(of, comparable(text, arm)) for of, text in test.all_words])


def _known(vocabularies: list[Vocabulary], tests: list[Words]) -> Mask:
    return np.concatenate([v.known(test.labels) for v, test in zip(vocabularies, tests, strict=True)])


def bare(condition: str) -> str:
    """The name of a condition without the scene, which an arm without fusion does not get."""
    for scene in ("own scene", "another's scene", "no scene"):
        condition = condition.replace(scene, "").strip(", ")
    return condition or "-"
