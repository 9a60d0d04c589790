"""What is wrong with a data set."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from wordsight.data.labels import lost_characters, rejection
from wordsight.data.near_duplicates import Gallery, SceneGallery
from wordsight.data.sample import Source
from wordsight.data.scenes import Scene
from wordsight.errors import DataError
from wordsight.text import Charset

EXAMPLES = 20  # of each kind are kept


@dataclass
class Kind:
    """How often something was found, and the first of them in words."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """One more."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass
class Findings:
    """The result of a check.

    Attributes:
        samples: how many were looked at.
        problems: what is wrong with labels -> those labels, as Python literals.
        unknown: characters that the charset cannot express -> how many labels have them. Charsets that follow the
            rules of the field delete them; others cannot use those labels.
        unreadable: samples whose label or image is missing or cannot be decoded or cut.
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
    source: Source,
    charset: Charset,
    max_length: int,
    indices: Iterable[int],
    *,
    images: bool = True,
    test: Gallery | None = None,
) -> Findings:
    """Looks at the labels of `indices`; with `images`, decodes those too and looks for the samples in `test`."""
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
    """Adds the scenes that are in `test` to `found`; those that cannot be read have been counted with their words."""
    for scene in scenes:
        try:
            other = test.duplicate_of(scene)
        except DataError:
            continue
        if other:
            found.scene_duplicates.add(f"{scene.image} is {other}")
