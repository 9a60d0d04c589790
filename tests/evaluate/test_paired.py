import numpy as np
import pytest

from wordsight.evaluate.paired import clustered, mcnemar, paired, standard_error


def scenes(count: int, size: int) -> np.ndarray:
    return np.repeat(np.arange(count), size)


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    [(0, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (0, 6, 0.03125), (1, 9, 22 / 1024), (4, 4, 1.0), (8, 2, 112 / 1024)],
)
def test_mcnemar_is_the_exact_sign_test(won, lost, p):
    assert mcnemar(won, lost) == pytest.approx(p)


def test_mcnemar_of_thousands_of_words():
    assert 0 < mcnemar(1500, 1000) < 1e-20


def test_standard_error_without_clusters_is_the_ordinary_one():
    values = np.random.default_rng(0).normal(size=400)
    assert standard_error(values, np.arange(400)) == pytest.approx(values.std(ddof=1) / 20)


def test_words_that_only_repeat_their_scene_are_worth_one():
    values = np.random.default_rng(0).normal(size=100)
    once = standard_error(values, np.arange(100))
    assert standard_error(np.repeat(values, 7), scenes(100, 7)) == pytest.approx(once)
    low, high = clustered(np.repeat(values, 7), scenes(100, 7))
    assert (high - low) / 2 == pytest.approx(1.96 * once, rel=0.1)


def one_study(dice: np.random.Generator, gain: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One seed, 120 scenes of 1 to 9 words; the words of a scene tend to be won or lost together."""
    sizes = dice.integers(1, 10, 120)
    of = np.repeat(np.arange(120), sizes)
    mood = np.repeat(dice.normal(0, 0.15, 120), sizes)
    b = dice.random(len(of)) < 0.5 + mood / 2
    a = dice.random(len(of)) < 0.5 + gain - mood / 2
    return a[None], b[None], of


def test_intervals_cover_the_truth_as_often_as_they_say():
    dice = np.random.default_rng(3)
    found = [paired(*one_study(dice, 0.1), draws=500) for _ in range(300)]
    covered = np.mean([f.low <= 0.1 <= f.high for f in found])
    assert 0.91 <= covered <= 0.985
    assert np.mean([abs(f.difference - 0.1) <= f.smallest for f in found]) == pytest.approx(covered, abs=0.03)


def test_intervals_that_forget_the_scenes_are_too_narrow():
    dice = np.random.default_rng(4)
    mood = np.repeat(dice.normal(size=100), 10)
    values = mood + dice.normal(size=1000)
    low, high = clustered(values, scenes(100, 10))
    naive_low, naive_high = clustered(values, np.arange(1000))
    assert high - low > 1.8 * (naive_high - naive_low)


def test_luck_alone_is_rarely_called_a_difference():
    dice = np.random.default_rng(5)
    shown = [paired(*one_study(dice, 0.0), draws=300).shown for _ in range(200)]
    assert np.mean(shown) < 0.09


@pytest.mark.parametrize(("won", "certain"), [(4, False), (8, True)])
def test_a_handful_of_words_is_not_certain(won, certain):
    b = np.zeros((1, 1000), bool)
    a = b.copy()
    a[0, : won * 10 : 10] = True
    found = paired(a, b, scenes(100, 10))
    assert found.shown == certain
    assert (found.won, found.lost, found.clusters, found.n) == (won, 0, 100, 1000)


def test_seeds_that_disagree_widen_what_is_needed():
    dice = np.random.default_rng(6)
    b = dice.random((3, 2000)) < 0.5
    a = dice.random((3, 2000)) < np.array([[0.4], [0.5], [0.9]])
    found = paired(a, b, scenes(400, 5))
    assert found.covers_seeds
    assert found.smallest > 4.303 * (a.mean(1) - b.mean(1)).std(ddof=1) / 3**0.5
    assert not found.shown
    assert not paired(a[2:], b[2:], scenes(400, 5)).covers_seeds


def test_what_is_no_pair_is_refused():
    a = np.zeros((1, 4), bool)
    with pytest.raises(ValueError, match="are not paired"):
        paired(a, a[:, :3], np.arange(4))
    with pytest.raises(ValueError, match="no words"):
        paired(a[:, :0], a[:, :0], np.arange(0))
