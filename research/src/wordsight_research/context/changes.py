"""Which words are read otherwise because of their scene."""

from dataclasses import dataclass

import numpy as np

from wordsight_research.context.arms import NONE, OWN, Arm
from wordsight_research.context.measure import Measured, comparable


@dataclass(frozen=True)
class Change:
    """A word, as it is compared: what is printed, what is read without a scene, and with its own."""

    scene: str
    printed: str
    without: str
    told: str


@dataclass(frozen=True)
class Changed:
    """What own scenes do to the readings of an arm, against the same model without any.

    Attributes:
        arm: its name.
        changed: share of the words that are read otherwise, mean over seeds.
        mended: of all words, those that are right only with the scene; `spoilt` those that are right only without.
        words: all that change in the first seed, those first that become right or wrong.
    """

    arm: str
    changed: float
    mended: float
    spoilt: float
    words: tuple[Change, ...]


def changed(measured: Measured) -> list[Changed]:
    """By arm, where the experiment asks for it and something has been run."""
    if not measured.experiment.changes:
        return []
    return [_of(measured, arm) for arm in measured.experiment.arms if arm.clipter and measured.runs(arm.name)]


def _of(measured: Measured, arm: Arm) -> Changed:
    labels = [comparable(label, arm) for label in measured.labels(arm)]
    scenes = [scene.id for _, test in measured.outcome.lab.words(arm.source) for scene in test.scenes]
    shares = []
    words: list[Change] = []
    for number, run in enumerate(measured.runs(arm.name)):
        own, none = ([comparable(text, arm) for text in run.texts[c.name]] for c in (OWN, NONE))
        rows = [Change(*row) for row in zip(scenes, labels, none, own, strict=True)]
        if number == 0:
            words = [row for row in rows if row.without != row.told]
        turns = [_turn(row) for row in rows]
        shares.append([sum(row.without != row.told for row in rows), turns.count(1), turns.count(-1)])
    share, mended, spoilt = (np.mean(shares, axis=0) / len(labels)).tolist()
    return Changed(arm.name, share, mended, spoilt, tuple(sorted(words, key=lambda w: -abs(_turn(w)))))


def _turn(word: Change) -> int:
    """1: becomes right by the scene; -1: becomes wrong; 0: neither."""
    return (word.told == word.printed) - (word.without == word.printed)
