"""End-to-end scores of words found in scenes, and of boxes alone (the rules of ICDAR 2015 incidental text).

The rules, as in docs/measuring.md:

* A truth is *don't care* if it is illegible or has fewer than three alphanumerics.
* A finding is *don't care* if it has fewer than three alphanumerics, or if more than half of its area lies inside one
  don't-care truth.
* Among the rest, a finding and a truth can be paired if their polygons overlap with IoU > 0.5. Pairs are made greedily,
  each side used once, the largest IoU first.
* Detection counts all pairs; end to end counts those whose transcriptions agree: the alphanumerics, case ignored.
* recall = pairs / truths that count, precision = pairs / findings that count, H-mean their harmonic mean, over all
  scenes together.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
import shapely

MIN_ALPHANUMERICS = 3
MIN_IOU = 0.5
MAX_INSIDE = 0.5

Polygon = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truth:
    """A labelled word: polygon (N, 2) in pixels, its text, whether it is legible."""

    polygon: Polygon
    text: str
    legible: bool = True


@dataclass(frozen=True, eq=False)
class Found:
    """A detected word: polygon (N, 2) in pixels and its reading."""

    polygon: Polygon
    text: str


@dataclass(frozen=True)
class SpottingScore:
    """Counts over scenes. `paired` are matched boxes, `read` those of them that are also read right."""

    scenes: int
    truths: int
    found: int
    paired: int
    read: int
    ignored_truths: int
    ignored_found: int

    def __add__(self, other: "SpottingScore") -> "SpottingScore":
        return SpottingScore(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def detection(self) -> tuple[float, float, float]:
        """Precision, recall and H-mean of the boxes alone."""
        return _rates(self.paired, self.found, self.truths)

    def end_to_end(self) -> tuple[float, float, float]:
        """Precision, recall and H-mean of boxes with the right transcription."""
        return _rates(self.read, self.found, self.truths)


def _rates(hits: int, found: int, truths: int) -> tuple[float, float, float]:
    return (
        hits / found if found else 0.0,
        hits / truths if truths else 0.0,
        2 * hits / (found + truths) if found + truths else 0.0,
    )


def alphanumerics(text: str) -> str:
    """The letters and digits of a text, in lower case and without accents: what is compared end to end."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if c.isalnum())


def _shape(polygon: Polygon) -> shapely.Geometry:
    shape = shapely.Polygon(polygon)
    # Sides of annotated and detected polygons sometimes cross; the enclosed area still counts.
    return shape if shape.is_valid else shapely.make_valid(shape)


def score_scene(truths: Sequence[Truth], found: Sequence[Found]) -> SpottingScore:
    """Scores the words found in one scene."""
    spellings = [alphanumerics(t.text) for t in truths]
    areas = [_shape(t.polygon) for t in truths]
    careless = {i for i, t in enumerate(truths) if not t.legible or len(spellings[i]) < MIN_ALPHANUMERICS}
    readings = [alphanumerics(f.text) for f in found]
    ignored = set()
    pairs = []
    for j, finding in enumerate(found):
        own = _shape(finding.polygon)
        if len(readings[j]) < MIN_ALPHANUMERICS:
            ignored.add(j)
            continue
        overlaps = [own.intersection(shape).area for shape in areas]
        if any(overlaps[i] > MAX_INSIDE * own.area for i in careless):
            ignored.add(j)
            continue
        for i, overlap in enumerate(overlaps):
            union = areas[i].area + own.area - overlap
            if i not in careless and overlap > MIN_IOU * union:
                pairs.append((overlap / union, i, j))
    paired: dict[int, int] = {}
    for _, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if i not in paired and j not in paired.values():
            paired[i] = j
    return SpottingScore(
        scenes=1,
        truths=len(truths) - len(careless),
        found=len(found) - len(ignored),
        paired=len(paired),
        read=sum(spellings[i] == readings[j] for i, j in paired.items()),
        ignored_truths=len(careless),
        ignored_found=len(ignored),
    )


def score_spotting(scenes: Sequence[tuple[Sequence[Truth], Sequence[Found]]]) -> SpottingScore:
    """Scores the words found in scenes, adding up all counts before rates are taken."""
    return sum((score_scene(*scene) for scene in scenes), SpottingScore(0, 0, 0, 0, 0, 0, 0))


def score_boxes(polygons: Sequence[Polygon], legible: Sequence[bool], found: Sequence[Polygon]) -> SpottingScore:
    """Scores the boxes found in one scene, whatever their text, by the protocol of ICDAR 2015 (localisation).

    The rules are those above, but only illegible truths are don't care, and all findings count.

    Args:
        polygons: labelled words, (N, 2) in pixels.
        legible: whether each counts.
        found: the detected boxes.
    """
    any_word = "a" * MIN_ALPHANUMERICS
    truths = [Truth(polygon, any_word, counts) for polygon, counts in zip(polygons, legible, strict=True)]
    return score_scene(truths, [Found(polygon, any_word) for polygon in found])
