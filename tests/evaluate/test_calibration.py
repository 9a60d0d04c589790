"""Calibration errors by hand, and temperatures that are known."""

import math

import numpy as np
import pytest

from wordsight.evaluate.calibration import (
    Bin,
    calibration_error,
    fit_temperature,
    is_better,
    log_losses,
    reliability,
)


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    scaled = np.exp(logits / temperature - (logits / temperature).max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def draw(true: float, words: int = 20_000, letters: int = 3):
    """Words whose letters are drawn from softmax(logits / true), read greedily: (confidences at any t), right."""
    rng = np.random.default_rng(3)
    logits = rng.normal(scale=4, size=(words, letters, 6))
    drawn = (softmax(logits, true).cumsum(axis=-1) > rng.random((words, letters, 1))).argmax(axis=-1)
    right = (drawn == logits.argmax(axis=-1)).all(axis=1)
    return lambda t: (softmax(logits, t).max(axis=-1).prod(axis=1), right)


@pytest.mark.parametrize("true", [0.7, 1.0, 2.2])
def test_the_temperature_that_words_were_drawn_with_is_found(true: float) -> None:
    read = draw(true)
    found = fit_temperature(read)
    assert found == pytest.approx(true, rel=0.04)
    assert calibration_error(*read(found)) < 0.01
    assert calibration_error(*read(found), adaptive=True) < 0.015


def test_better_is_more_than_luck() -> None:
    read = draw(1.6)
    assert is_better(read(1.0), read(1.6))
    assert not is_better(read(1.6), read(1.0))
    assert not is_better(read(1.6), read(1.61))
    assert not is_better(([0.5], [True]), ([0.9], [True]))  # one word tells nothing


def test_few_readings_are_asked_for() -> None:
    asked: list[float] = []
    read = draw(1.3, words=50)

    def watched(t: float):
        asked.append(t)
        return read(t)

    fit_temperature(watched)
    assert len(set(asked)) == len(asked) <= 13


def test_log_losses_of_certainty_are_finite() -> None:
    assert log_losses([0.5, 1.0], [True, True]) == pytest.approx([math.log(2), 0])
    assert np.isfinite(log_losses([1.0, 0.0], [False, True])).all()


def test_bins_of_equal_width_and_of_equally_many() -> None:
    sure, right = [0.05, 0.95, 0.92, 0.99], [False, True, True, False]
    assert reliability(sure, right, 10) == [
        Bin(1, pytest.approx(0.05), 0.0),
        Bin(3, pytest.approx(2.86 / 3), pytest.approx(2 / 3)),
    ]
    assert reliability(sure, right, 2, adaptive=True) == [
        Bin(2, pytest.approx(0.485), 0.5),
        Bin(2, pytest.approx(0.97), 0.5),
    ]
    assert calibration_error(sure, right, 2, adaptive=True) == pytest.approx((0.015 + 0.47) / 2)
    assert len(reliability(sure, right, 15, adaptive=True)) == 4  # fewer words than bins
    assert math.isnan(calibration_error([], [], adaptive=True))
