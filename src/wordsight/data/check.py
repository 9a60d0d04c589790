"""Checking a data set for what cannot be trained on and for copies of test samples."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from wordsight.data.labels import lost_characters, rejection
from wordsight.data.near_duplicates import Gallery, SceneGallery
from wordsight.data.sample import Source
from wordsight.data.scenes import Scene
from wordsight.errors import DataError
from wordsight.text import Charset

_EXAMPLES = 20  # kept for each kind


@dataclass
class Kind:
    """How often something was found, and descriptions of the first examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


@dataclass
class Findings:
    """The result of a check.

    Attributes:
        samples: how many were checked.
        problems: what is wrong with labels -> those labels, as Python literals.
        unknown: characters that the charset cannot express -> number of labels with them. ASCII charsets without space
            delete them; others cannot use those labels.
        unreadable: samples whose label or image is missing, or cannot be decoded or cut.
        duplicates: samples that are also in the test sets.
        scene_duplicates: scenes that are also in the test sets.
        unusable: samples that cannot be trained on, because of their label or because they are unreadable.
    """

    samples: int = 0
    problems: dict[str, Kind] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unreadable: Kind = field(default_factory=Kind)
    duplicates: Kind = field(default_factory=Kind)
    scene_duplicates: Kind = field(default_factory=Kind)
    unusable: int = 0

    def count(self, problem: str) -> int:
        """Number of labels with a problem."""
        return self.problems[problem].count if problem in self.problems else 0


def check_source(
    source: Source, charset: Charset, max_length: int, indices: Iterable[int], *, images: bool, test: Gallery | None
) -> Findings:
    """Checks the labels of `indices`; with `images`, also decodes those and looks for the samples in `test`."""
    found = Findings()
    for i in indices:
        found.samples += 1
        try:
            given = source.text(i)
            sample = source[i] if images else None
        except DataError as error:
            found.unreadable.add(str(error))
            found.unusable += 1
            continue
        found.unknown.update(lost_characters(given, charset))
        if reason := rejection(given, charset, max_length):
            found.problems.setdefault(reason, Kind()).add(repr(given))
            found.unusable += 1
        if sample is not None and test is not None and (other := test.duplicate_of(sample)):
            found.duplicates.add(f"{sample.id} {given!r} is {other}")
    return found


def check_scenes(scenes: Iterable[Scene], test: SceneGallery, found: Findings) -> None:
    """Adds the scenes that are in `test` to `found`; unreadable ones have been counted with their words."""
    for scene in scenes:
        try:
            other = test.duplicate_of(scene)
        except DataError:
            continue
        if other:
            found.scene_duplicates.add(f"{scene.image} is {other}")
