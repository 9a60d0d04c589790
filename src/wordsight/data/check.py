"""What is wrong with a data set."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from wordsight.data.labels import rejection
from wordsight.data.sample import Source
from wordsight.errors import DataError
from wordsight.text import Charset


@dataclass
class Findings:
    """The result of a check.

    Attributes:
        samples: how many were looked at.
        problems: what is wrong with labels -> those labels, as Python literals.
        unknown: characters outside the charset -> how many labels have them.
        unreadable: one message for each image that cannot be decoded or cut.
        unusable: samples with any of these.
    """

    samples: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    unusable: int = 0


def check_source(source: Source, charset: Charset, max_length: int, indices: Iterable[int]) -> Findings:
    """Looks at the labels and decodes the images of `indices`."""
    found = Findings()
    for i in indices:
        found.samples += 1
        bad = False
        try:
            given = source.text(i)
            source[i]
        except DataError as error:
            found.unreadable.append(str(error))
            bad = True
        else:
            if reason := rejection(given, charset, max_length):
                found.problems.setdefault(reason, []).append(repr(given))
                found.unknown.update(charset.unknown(charset.normalize(given)))
                bad = True
        found.unusable += bad
    return found
