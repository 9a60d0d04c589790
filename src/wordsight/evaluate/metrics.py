"""Scores of word readings: accuracy, edit distances, calibration, and averages over data sets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from wordsight.evaluate.calibration import calibration_error
from wordsight.evaluate.protocol import Protocol


@dataclass(frozen=True)
class Record:
    """The reading of a crop and its label, both raw, so that any protocol can be applied later.

    `scene` says whether the scene was available; None for a model that takes no scenes.
    """

    dataset: str
    id: str
    label: str
    text: str
    confidence: float
    scene: bool | None = None


@dataclass(frozen=True)
class Score:
    """A recognizer's scores on one data set under one protocol.

    Attributes:
        n: samples counted.
        correct: those of them without an error.
        ned: 1-NED of ICDAR 2019: mean over samples of 1 - edit distance / length of the longer string.
        cer: character error rate: edit distances of all samples / characters of all labels. May exceed 1.
        ece: expected calibration error of the confidence that a word is right, 15 bins of equal width.
        adaptive_ece: the same over 15 bins of equally many samples.
        confidence: mean confidence.
        left_out: reason -> number of samples that the protocol does not count.
        scenes: number of counted samples with a scene; None for a recognizer that takes no scenes.
    """

    dataset: str
    protocol: str
    n: int
    correct: int
    ned: float
    cer: float
    ece: float
    adaptive_ece: float
    confidence: float
    left_out: dict[str, int] = field(default_factory=dict)
    scenes: int | None = None

    @property
    def accuracy(self) -> float:
        """Share of the counted samples without an error; NaN if none is counted."""
        return self.correct / self.n if self.n else float("nan")


@dataclass(frozen=True)
class Average:
    """Averages of several data sets under one protocol: weighted over all samples, and arithmetic over the sets.

    `group` names the sets, if only some are averaged.
    """

    protocol: str
    sets: int
    n: int
    weighted_accuracy: float
    arithmetic_accuracy: float
    weighted_ned: float
    arithmetic_ned: float
    group: str = ""
    scenes: int | None = None


def similarity(label: str, text: str) -> float:
    """1 - edit distance / length of the longer string; 1 if both are empty (ICDAR 2019 RRC-MLT and ArT)."""
    return 1.0 - Levenshtein.distance(label, text) / max(len(label), len(text), 1)


def is_right(record: Record, protocol: Protocol) -> bool:
    """Whether a reading is correct under a protocol that counts it."""
    return protocol.label(record.label) == protocol.reading(record.text)


def score(records: Sequence[Record], protocol: Protocol, dataset: str = "") -> Score:
    """Scores readings of one data set, which is called like the first record's unless `dataset` is given."""
    dataset = dataset or (records[0].dataset if records else "")
    left_out: Counter[str] = Counter()
    confidences, right, similarities, scenes = [], [], [], []
    errors = characters = 0
    for record in records:
        if reason := protocol.reject(record.label):
            left_out[reason] += 1
            continue
        label, text = protocol.label(record.label), protocol.reading(record.text)
        confidences.append(record.confidence)
        right.append(label == text)
        similarities.append(similarity(label, text))
        scenes.append(record.scene)
        errors += Levenshtein.distance(label, text)
        characters += len(label)
    n = len(right)
    nothing = float("nan")
    return Score(
        dataset=dataset,
        protocol=protocol.name,
        n=n,
        correct=sum(right),
        ned=sum(similarities) / n if n else nothing,
        cer=errors / characters if characters else nothing,
        ece=calibration_error(confidences, right),
        adaptive_ece=calibration_error(confidences, right, adaptive=True),
        confidence=sum(confidences) / n if n else nothing,
        left_out=dict(left_out),
        scenes=None if None in scenes or not scenes else sum(map(bool, scenes)),
    )


def averages(scores: Sequence[Score], group: str = "") -> list[Average]:
    """Averages for every protocol with scores on at least two non-empty data sets."""
    out = []
    for protocol in dict.fromkeys(s.protocol for s in scores):
        mine = [s for s in scores if s.protocol == protocol and s.n]
        if len(mine) < 2:
            continue
        n = sum(s.n for s in mine)
        scenes = [s.scenes for s in mine]
        out.append(
            Average(
                protocol=protocol,
                sets=len(mine),
                n=n,
                weighted_accuracy=sum(s.correct for s in mine) / n,
                arithmetic_accuracy=sum(s.accuracy for s in mine) / len(mine),
                weighted_ned=sum(s.ned * s.n for s in mine) / n,
                arithmetic_ned=sum(s.ned for s in mine) / len(mine),
                group=group,
                scenes=None if None in scenes else sum(filter(None, scenes)),
            )
        )
    return out
