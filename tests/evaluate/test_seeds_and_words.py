"""Differences between rows of a table: trainings that share no start, any number of seeds."""

import math

import numpy as np
import pytest

from wordsight.evaluate.paired import Paired, paired


def compare(a: np.ndarray, b: np.ndarray) -> Paired:
    """Rows of a table, whose trainings have nothing in common; each word is of a scene of its own."""
    return paired(a, b, same_start=False, draws=300)


def row(*patterns: str) -> np.ndarray:
    return np.array([[c == "1" for c in pattern] for pattern in patterns])


def changed(words: int, won: int, lost: int) -> tuple[np.ndarray, np.ndarray]:
    """Two rows with one seed that differ on `won + lost` words."""
    a = np.zeros((1, words), bool)
    a[0, : words // 2] = True
    b = a.copy()
    a[0, -won:] |= won > 0
    a[0, :lost] = False
    return a, b


def test_one_seed_is_bonett_and_prices_interval():
    a, b = changed(1000, 60, 30)
    found = compare(a, b)
    assert found.difference == pytest.approx(0.03)
    p12, p21 = 61 / 1002, 31 / 1002
    expected = 1.96 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / 1001)
    assert found.smallest == pytest.approx(expected, rel=1e-6)
    assert found.shown
    assert not found.covers_seeds


@pytest.mark.parametrize(("won", "exact"), [(4, 0.125), (5, 0.0625), (6, 0.03125), (7, 0.015625)])
def test_few_changed_words_are_judged_as_by_the_exact_sign_test(won, exact):
    a, b = changed(2000, won, 0)
    assert compare(a, b).shown == (exact < 0.05)


def test_equal_rows_show_nothing():
    a, _ = changed(500, 0, 0)
    found = compare(a, a)
    assert found.difference == 0
    assert not found.shown


def test_what_seeds_do_makes_the_smallest_difference_larger():
    dice = np.random.default_rng(0)
    steady = dice.random((3, 2000)) < 0.5
    a = dice.random((3, 2000)) < np.array([[0.4], [0.5], [0.6]])  # one row's seeds differ by 10 points
    found = compare(a, steady)
    variance = a.mean(1).var(ddof=1) / 3 + steady.mean(1).var(ddof=1) / 3
    assert found.covers_seeds
    assert found.smallest > 2.776 * math.sqrt(variance)  # t at 4 degrees of freedom
    assert compare(a[1:2], steady[:1]).smallest < found.smallest


def test_luck_alone_is_rarely_called_a_difference():
    dice = np.random.default_rng(1)
    wrong = sum(compare(dice.random((2, 400)) < 0.7, dice.random((2, 400)) < 0.7).shown for _ in range(300))
    assert wrong / 300 < 0.05


def test_a_real_difference_is_found():
    dice = np.random.default_rng(2)
    found = [compare(dice.random((3, 1000)) < 0.75, dice.random((3, 1000)) < 0.6).shown for _ in range(50)]
    assert np.mean(found) > 0.9


def test_rows_over_other_words_are_refused():
    with pytest.raises(ValueError, match="are not paired"):
        compare(row("110"), row("1100"))


def test_rows_may_have_different_numbers_of_seeds():
    dice = np.random.default_rng(3)
    a, b = dice.random((3, 500)) < 0.8, dice.random((1, 500)) < 0.5
    found = compare(a, b)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert (found.seeds, found.covers_seeds) == (1, False)
    assert found.won - found.lost == a[0].sum() - b.sum()
    with pytest.raises(ValueError, match="are not paired"):
        paired(a, b)
