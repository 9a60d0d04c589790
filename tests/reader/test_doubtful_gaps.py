"""Where it is doubtful whether a line has a gap, both readings are made and the surer one counts."""

from collections.abc import Sequence

import numpy as np
import pytest

from wordsight.decoding import Char, Reading
from wordsight.detect import Gap
from wordsight.reading import strips
from wordsight.reading.lines import read_strips, words
from wordsight.reading.strips import Look, Strip

STRIP = Strip(np.full((20, 100, 3), 200, np.uint8), np.array([(0, 0), (100, 0), (100, 20), (0, 20)], np.float64))


class ByWidth:
    """Reads crops of a width (to the ten) as it was told; counts them."""

    def __init__(self, readings: dict[int, tuple[str, float]]) -> None:
        self.readings = readings
        self.widths: list[int] = []

    def __call__(self, looks: Sequence[Look]) -> list[Reading]:
        widths = [round(look.pixels.shape[1], -1) for look in looks]
        self.widths += widths
        return [self._read(*self.readings[width]) for width in widths]

    def _read(self, text: str, probability: float) -> Reading:
        chars = tuple(Char(c, probability) for c in text)
        return Reading(text, probability ** (len(text) + 1), chars)


def _read(monkeypatch: pytest.MonkeyPatch, gaps: list[Gap], read: ByWidth) -> list[tuple[str, float, float]]:
    monkeypatch.setattr(strips, "find_gaps", lambda pixels, least: [g for g in gaps if g.probability >= least])
    (attempt,) = read_strips([STRIP], read, split=True)
    return [(word.text, word.polygon[0][0], word.polygon[1][0]) for word in words(attempt)]


@pytest.mark.parametrize(
    ("whole", "parts", "expected"),
    [
        (("postbox", 0.9), 0.97, [("post", 0, 62), ("box", 68, 100)]),
        (("postbox", 0.97), 0.9, [("postbox", 0, 100)]),
        (("postbox", 0.95), 0.96, [("postbox", 0, 100)]),  # as good as a tie: not cut
        (("", 0.99), 0.96, [("", 0, 0)]),
    ],
)
def test_the_surer_reading_counts(monkeypatch, whole, parts, expected) -> None:  # type: ignore[no-untyped-def]
    read = ByWidth({100: whole, 60: ("post", parts), 30: ("box", parts)})
    found = _read(monkeypatch, [Gap(60, 70, 0.5)], read)
    assert sorted(read.widths) == [30, 60, 100]
    assert found == [pytest.approx(word) for word in expected if word[0]]


@pytest.mark.parametrize(("probability", "widths"), [(0.95, [30, 60]), (0.1, [100])])
def test_where_there_is_no_doubt_nothing_is_read_twice(
    monkeypatch: pytest.MonkeyPatch, probability: float, widths: list[int]
) -> None:
    read = ByWidth({100: ("postbox", 0.9), 60: ("post", 0.9), 30: ("box", 0.9)})
    _read(monkeypatch, [Gap(60, 70, probability)], read)
    assert sorted(read.widths) == widths


def test_doubts_on_one_side_of_a_sure_gap_leave_the_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    read = ByWidth({60: ("ab", 0.5), 20: ("a", 0.9), 30: ("b", 0.9), 40: ("cd", 0.9)})
    found = _read(monkeypatch, [Gap(20, 26, 0.5), Gap(54, 60, 0.99)], read)
    assert [text for text, _, _ in found] == ["a", "b", "cd"]
    assert sorted(read.widths) == [20, 30, 40, 60]
