import numpy as np
import numpy.typing as npt
import pytest

from wordsight.evaluate import Found, SpottingScore, Truth, score_spotting
from wordsight.evaluate.spotting import score_scene


def box(x: float, y: float, width: float = 100, height: float = 20) -> npt.NDArray[np.float64]:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)


def test_a_perfect_reading() -> None:
    score = score_scene(
        [Truth(box(0, 0), "HELLO"), Truth(box(0, 50), "world")],
        [Found(box(0, 50), "World"), Found(box(0, 0), "hello!")],
    )
    assert (score.paired, score.read) == (2, 2)
    assert score.detection() == score.end_to_end() == (1, 1, 1)


def test_rates_by_hand() -> None:
    truths = [
        Truth(box(0, 0), "one"),
        Truth(box(0, 50), "three"),
        Truth(box(0, 100), "missed"),
        Truth(box(0, 150), "far"),
    ]
    found = [Found(box(5, 0), "one"), Found(box(0, 52), "tree"), Found(box(300, 0), "ghost")]
    score = score_scene(truths, found)
    assert score.detection() == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert score.end_to_end() == pytest.approx((1 / 3, 1 / 4, 2 / 7))


@pytest.mark.parametrize(("shift", "paired"), [(33, 1), (34, 0)])  # IoU (100 - s) / (100 + s): 0.504, 0.493
def test_overlap_has_to_exceed_one_half(shift: float, paired: int) -> None:
    assert score_scene([Truth(box(0, 0), "word")], [Found(box(shift, 0), "word")]).paired == paired


def test_an_overlap_of_exactly_one_half_is_not_enough() -> None:
    assert score_scene([Truth(box(0, 0), "word")], [Found(box(0, 0, width=50), "word")]).paired == 0


@pytest.mark.parametrize(
    ("truth", "counts"),
    [
        (Truth(box(0, 0), "###", legible=False), 0),
        (Truth(box(0, 0), "word", legible=False), 0),
        (Truth(box(0, 0), "no"), 0),
        (Truth(box(0, 0), "a-b!"), 0),
        (Truth(box(0, 0), "a-b!c"), 1),
    ],
)
def test_truths_that_do_not_care(truth: Truth, counts: int) -> None:
    score = score_scene([truth], [])
    assert (score.truths, score.ignored_truths) == (counts, 1 - counts)


def test_findings_that_do_not_care() -> None:
    truths = [Truth(box(0, 0), "###", legible=False)]
    found = [
        Found(box(0, 0), "inside"),
        Found(box(49, 0), "mostly inside"),
        Found(box(50, 0), "half inside"),
        Found(box(300, 0), "no"),
        Found(box(300, 50), "outside"),
    ]
    score = score_scene(truths, found)
    assert (score.found, score.ignored_found) == (2, 3)


def test_short_findings_pair_with_nothing() -> None:
    score = score_scene([Truth(box(0, 0), "word")], [Found(box(0, 0), "wo")])
    assert (score.truths, score.found, score.paired) == (1, 0, 0)


def test_one_box_serves_one_word() -> None:
    twice = score_scene([Truth(box(0, 0), "word")], [Found(box(0, 0), "word"), Found(box(1, 0), "word")])
    assert (twice.paired, twice.read, twice.found) == (1, 1, 2)
    # The closer box is taken, whatever its place in the list.
    for order in (1, -1):
        found = [Found(box(20, 0), "word"), Found(box(1, 0), "sword")][::order]
        assert score_scene([Truth(box(0, 0), "word")], found).read == 0


def test_slanted_and_crossed_polygons() -> None:
    diamond = np.array([[50, 0], [100, 50], [50, 100], [0, 50]], dtype=np.float64)
    assert score_scene([Truth(diamond, "word")], [Found(diamond[[2, 3, 0, 1]], "word")]).read == 1
    # The diamond covers half of its square: IoU is exactly 0.5.
    assert score_scene([Truth(diamond, "word")], [Found(box(0, 0, 100, 100), "word")]).paired == 0
    rows = box(0, 0)[[0, 1, 3, 2]]  # listed by rows: the sides cross, half of the box is enclosed
    assert score_scene([Truth(rows, "word")], [Found(box(0, 0), "word")]).found == 1


def test_a_line_of_no_width_is_no_crash() -> None:
    flat = score_scene([Truth(box(0, 0, height=0), "word")], [Found(box(0, 0, height=0), "word")])
    assert (flat.truths, flat.found, flat.paired) == (1, 1, 0)


def test_transcriptions_ignore_case_symbols_and_accents() -> None:
    for label, text, same in (("CAFÉ", "cafe", 1), ("10:30", "1030", 1), ("Straße", "STRASSE", 1), ("one", "0ne", 0)):
        assert score_scene([Truth(box(0, 0), label)], [Found(box(0, 0), text)]).read == same


def test_scenes_are_added_up_before_rates_are_taken() -> None:
    good = ([Truth(box(0, 0), "word")], [Found(box(0, 0), "word")])
    bad = ([Truth(box(0, 0), "word")] * 3, [])
    total = score_spotting([good, bad])
    assert total == SpottingScore(2, truths=4, found=1, paired=1, read=1, ignored_truths=0, ignored_found=0)
    assert total.end_to_end() == pytest.approx((1, 0.25, 0.4))
    assert score_spotting([]).end_to_end() == (0, 0, 0)
