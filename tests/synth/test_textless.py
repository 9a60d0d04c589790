"""Crops without text: busy, varied, cut from photographs as they are where there are any."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.synth import textless as room
from wordsight.synth.background import Backgrounds
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import font_index
from wordsight.synth.textless import textless


@pytest.fixture(scope="module")
def book(few_fonts: Path) -> FontBook:
    return FontBook(font_index([few_fonts]))


def test_a_crop_is_a_function_of_the_generator(book: FontBook) -> None:
    for seed in range(20):
        first, second = (textless(random.Random(seed), book, Backgrounds())[0] for _ in range(2))
        assert first.mode == "RGB"
        assert np.array_equal(np.asarray(first), np.asarray(second))


def test_without_photographs_most_crops_show_something(book: FontBook) -> None:
    drawn = [textless(random.Random(seed), book, Backgrounds()) for seed in range(200)]
    assert not any(finished for _, finished in drawn)
    crops = [np.asarray(picture) for picture, _ in drawn]
    contrast = [float(crop.astype(np.float32).std(axis=(0, 1)).max()) for crop in crops]
    assert np.mean(np.array(contrast) > 15) > 0.6
    assert all(1 <= crop.shape[1] / crop.shape[0] <= 8 for crop in crops)


@pytest.mark.parametrize("draw", room._DRAWN)
def test_every_pattern_fills_its_crop(draw) -> None:  # type: ignore[no-untyped-def]
    pictures = [np.asarray(room._turned(random.Random(seed), (120, 40), draw)) for seed in range(12)]
    assert all(picture.shape == (40, 120, 3) for picture in pictures)
    assert sum(picture.std(axis=(0, 1)).max() > 5 for picture in pictures) > 8
    corners = np.array([picture[[0, 0, -1, -1], [0, -1, 0, -1]] for picture in pictures])
    assert (corners.max(axis=2) == 0).mean() < 0.3  # what turning leaves uncovered would be black


def test_parts_of_photographs_come_as_they_are(book: FontBook, tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    coarse = Image.fromarray(dice.integers(0, 256, (8, 24, 3), dtype=np.uint8))
    coarse.resize((240, 80), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    colors = np.asarray(coarse).reshape(-1, 3).astype(int)
    backgrounds = Backgrounds(tmp_path)
    shown = 0
    for seed in range(60):
        picture, finished = textless(random.Random(seed), book, backgrounds)
        if not finished:
            continue
        crop = np.asarray(picture).reshape(-1, 3)[::7].astype(int)
        apart = np.abs(crop[:, None] - colors[None]).sum(axis=2).min(axis=1)
        shown += bool((apart < 3).mean() > 0.4)
    assert 10 <= shown <= 40
