"""The parts of an experiment: trainings (arms), ways of reading (conditions), and what is compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from wordsight.data.controls import Mode
from wordsight.models.clipter import ClipterConfig
from wordsight_research.context.damage import Damage
from wordsight_research.context.data import Source
from wordsight_research.context.views import View

CONTEXT = ClipterConfig(kernel=2, fusion="mh-ca-mini")
"""What an arm has unless it says otherwise: early, MH-CA mini, convex gate, 2 x 2 pooling; the run's encoder."""

RENDERED, REAL, CLEAN, HARD = Source(), View(), Damage(), Damage("any")


@dataclass(frozen=True)
class Arm:
    """One training of the second stage: a recognizer of stage one keeps learning, with or without scenes.

    Attributes:
        name: in tables.
        recognizer: "parseq", "vitstr", "trba", "abinet", "crnn" or "clip4str".
        source: its words.
        clipter: what is inserted; None: fine-tuning alone.
        encoder: "given": the user's, or the rendered-scene encoder; "random": the same, untrained; or another one's
            name, as `SceneEncoder.load` takes it.
        view: what scenes it is shown in training.
        damage: what is done to crops, in training and where a condition does not say otherwise. None: rendered ones are
            made hard, so that there is something to guess, photographs are left as they are.
        gate: a fixed value of the gate; None: it is learned.
        timed: whether its speed is measured.
        watched: whether it is measured where in the scene it looks.
        tuned: whether there is a second stage at all.
    """

    name: str
    recognizer: str = "parseq"
    source: Source = RENDERED
    clipter: ClipterConfig | None = CONTEXT
    encoder: str = "given"
    view: View = REAL
    damage: Damage | None = None
    gate: float | None = None
    timed: bool = False
    watched: bool = False
    tuned: bool = True

    @property
    def crops(self) -> Damage:
        """What is done to its crops."""
        return self.damage or (HARD if self.source.rendered else CLEAN)


@dataclass(frozen=True)
class Condition:
    """One way of reading the test words.

    Attributes:
        name: in tables.
        of: whose scene they are shown with; "none" is the null scene.
        mode: what is done to its pixels; None: what was done in the arm's training.
        damage: what is done to the crops; None: the arm's.
        jitter: standard deviation of the corners of the crops' boxes, in heights of the word.
    """

    name: str
    of: Literal["own", "other", "misleading", "none"] = "own"
    mode: Mode | None = None
    damage: Damage | None = None
    jitter: float = 0.0

    def view(self, arm: Arm) -> View:
        """What is shown to an arm."""
        if self.of == "none":
            return View("none")
        return View(self.mode or arm.view.mode, self.of)


@dataclass(frozen=True)
class Contrast:
    """What is compared: `arm` under `condition`, less `other` under `other_condition`."""

    arm: str
    condition: str
    other: str
    other_condition: str


Strata = Literal["length", "seen", "kind", "repeated", "street", "folded"]


@dataclass(frozen=True)
class Experiment:
    """A question, and what is run to answer it.

    Attributes:
        name: of the command.
        question: in one sentence.
        arms: trainings, by name; names are unique.
        conditions: ways of reading that every arm goes through; arms without context only once for each
            damage and jitter.
        contrasts: what is compared.
        spotted: ways of reading what a detector finds in the test scenes.
        strata: parts of the test words that are scored apart, besides IV and OOV.
        falsified: what outcome would speak against the paper.
        ned: whether 1-NED is reported beside the accuracy.
        sets: of which words, where the user does not say; "*" is all that there are. Empty: arms name their own.
        recognizers: which, where the user does not say; empty: arms name their own.
        needs: real sets without which it says little.
        changes: whether it is said which words change by their scene.
        notes: what a reader has to know.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    conditions: tuple[Condition, ...]
    contrasts: tuple[Contrast, ...]
    strata: tuple[Strata, ...] = ()
    falsified: str = ""
    ned: bool = False
    sets: tuple[str, ...] = ("rendered",)
    recognizers: tuple[str, ...] = ("parseq",)
    needs: tuple[str, ...] = ()
    spotted: tuple[Condition, ...] = ()
    changes: bool = False
    notes: tuple[str, ...] = field(default=())

    def arm(self, name: str) -> Arm:
        """The arm called `name`."""
        return next(arm for arm in self.arms if arm.name == name)


def spread(experiment: Experiment, sets: Sequence[str], recognizers: Sequence[str]) -> Experiment:
    """The experiment on several sets and with several recognizers: arms and contrasts for each, names say which."""
    pairs = [(name, recognizer) for name in sets or ("",) for recognizer in recognizers or ("",)]
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    for name, recognizer in pairs:
        several = ((name, len(sets)), (recognizer, len(recognizers)))
        mark = ", ".join(part for part, count in several if count > 1)
        mark = f"{mark}: " if mark else ""
        for arm in experiment.arms:
            source = replace(arm.source, name=name or arm.source.name)
            taken = recognizer or arm.recognizer
            arms.append(replace(arm, name=mark + arm.name, source=source, recognizer=taken))
        for c in experiment.contrasts:
            contrasts.append(replace(c, arm=mark + c.arm, other=mark + c.other))
    return replace(experiment, arms=tuple(arms), contrasts=tuple(contrasts))


def conditions_of(arm: Arm, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Those that differ for this arm: without a fusion, all scenes are one."""
    if arm.clipter is not None:
        return conditions
    seen: dict[tuple[Damage | None, float], Condition] = {}
    for condition in conditions:
        seen.setdefault((condition.damage, condition.jitter), condition)
    return tuple(seen.values())


def condition_for(arm: Arm, name: str, conditions: tuple[Condition, ...]) -> str:
    """Under which name an arm's readings of a condition are kept."""
    wanted = next(c for c in conditions if c.name == name)
    for condition in conditions_of(arm, conditions):
        same = condition == wanted or (
            arm.clipter is None and (condition.damage, condition.jitter) == (wanted.damage, wanted.jitter)
        )
        if same:
            return condition.name
    raise KeyError(name)


OWN = Condition("own scene")
OTHER = Condition("another's scene", "other")
NONE = Condition("no scene", "none")
THREE = (OWN, OTHER, NONE)


def tuned(recognizer: str = "parseq", source: Source = RENDERED, name: str = "fine-tuning only") -> Arm:
    """The same second stage without a fusion."""
    return Arm(name, recognizer, source, clipter=None)


def untuned(recognizer: str = "parseq", source: Source = RENDERED, name: str = "stage one") -> Arm:
    """The recognizer that all arms start from."""
    return Arm(name, recognizer, source, clipter=None, tuned=False)


def real_against_shuffled(arms: Sequence[Arm]) -> tuple[Contrast, ...]:
    """What the own scene does in each arm that takes scenes."""
    return tuple(Contrast(arm.name, OWN.name, arm.name, OTHER.name) for arm in arms if arm.clipter)


def against(arms: Sequence[Arm], base: Arm, condition: Condition = OWN) -> tuple[Contrast, ...]:
    """Each arm against one of them."""
    return tuple(Contrast(arm.name, condition.name, base.name, condition.name) for arm in arms if arm != base)
