"""Photographing rendered crops: each for itself; what the lens and the sensor do to them."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wordsight.imaging import Preprocessing, prepare
from wordsight.synth.photograph import compressed, lens, noisy, told_apart
from wordsight.synth.words import RenderedWords


@pytest.fixture(scope="module")
def source(few_fonts: Path) -> RenderedWords:
    return RenderedWords(seed=11, fonts=few_fonts)


def test_a_crop_does_not_depend_on_its_batch(source: RenderedWords) -> None:
    numbers = list(range(40, 73))
    together, backwards = source.many(numbers), source.many(numbers[::-1])[::-1]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(together, backwards, strict=True))
    for k in (0, 5, 17, 32):
        assert np.array_equal(source[numbers[k]].image, together[k].image)


def test_training_images_are_the_crops_prepared(source: RenderedWords, few_fonts: Path) -> None:
    spec = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    left = RenderedWords(seed=11, fonts=few_fonts, enlarged=False)
    crops, seen = ([sample.image for sample in words.many(range(100))] for words in (source, left))
    apart = 255 * np.abs(prepare(crops, spec) - prepare(seen, spec))
    exact = [k for k, crop in enumerate(crops) if crop.shape[0] <= 32 and crop.shape[1] <= 128]
    assert len(exact) > 25
    assert not apart[exact].any()
    assert apart.mean() < 3  # others are enlarged and shrunk again on the way


@pytest.mark.parametrize("size", [(32, 128), (48, 192), (224, 224)])
def test_other_inputs_can_be_had(few_fonts: Path, size: tuple[int, int]) -> None:
    own, seen = (RenderedWords(seed=11, fonts=few_fonts, size=size, enlarged=enlarged) for enlarged in (True, False))
    assert all(s.image.shape[0] <= size[0] and s.image.shape[1] <= size[1] for s in seen.many(range(6)))
    assert all(s.image.shape[0] <= 400 for s in own.many(range(6)))


def test_the_lens_blurs_smears_and_sharpens() -> None:
    point = np.zeros((15, 15, 1), np.float32)
    point[7, 7] = 1
    still, sharp = np.zeros(2), np.full(2, 0.25)
    blurred, smeared, sharpened = (
        lens(point, sigma, motion, sharpen, 1.0)
        for sigma, motion, sharpen in (
            (np.ones(2), still, 0.0),
            (sharp, np.array([2.0, 0.0]), 0.0),
            (sharp, still, 1.0),
        )
    )
    assert np.allclose(blurred, blurred.T, atol=1e-6)
    assert blurred.sum() == pytest.approx(1, abs=1e-4)
    assert 0.1 < blurred[7, 7] < 0.2
    assert smeared[7].sum() == pytest.approx(1, abs=1e-3)
    assert smeared[7, 5] > 0.05
    assert sharpened[7, 7] > 1.5
    assert sharpened.min() < -0.02


def test_noise_is_normal_and_coloured_at_times() -> None:
    grey = np.zeros((32, 128, 3), np.float32)
    fields = [noisy(random.Random(seed), grey, 1.0) for seed in range(20)]
    plain = [np.array_equal(field[..., 0], field[..., 2]) for field in fields]
    assert {*plain} == {True, False}
    assert all(
        field[..., 0].std() == pytest.approx(1, abs=0.15) for field, grey in zip(fields, plain, strict=True) if grey
    )
    assert np.array_equal(fields[3], noisy(random.Random(3), grey, 1.0))


def test_jpeg_loses_more_at_lower_quality() -> None:
    given = np.random.default_rng(0).integers(0, 256, (4, 16, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    losses = [np.abs(compressed(given, quality).astype(float) - given).mean() for quality in (90, 60, 30)]
    assert losses == sorted(losses)
    assert losses[-1] > losses[0] > 1


def test_letters_that_cannot_be_told_from_their_ground_are_recoloured() -> None:
    letters = np.zeros((32, 128), np.float32)
    letters[8:24, 20:100] = 1
    clear = np.where(letters[..., None] > 0, np.float32(0.9), np.float32(0.2)).repeat(3, 2)
    assert told_apart(clear, letters, 0.1) is clear
    for ground in (0.0, 0.5, 1.0):
        same = np.full((32, 128, 3), ground, np.float32)
        told = told_apart(same, letters, 20 / 255)
        assert abs(told[12, 50] - told[0, 0]).min() > 18 / 255
        assert told.min() >= 0
        assert told.max() <= 1
        assert np.array_equal(told[letters == 0], same[letters == 0])


def test_rendering_needs_no_torch(few_fonts: Path) -> None:
    code = """
import sys
from wordsight.synth.words import RenderedWords
RenderedWords(fonts=sys.argv[1])[0]
print("torch" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code, str(few_fonts)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
