import time

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from wordsight.data import augment


def crop(height: int = 64, width: int = 200) -> npt.NDArray[np.uint8]:
    picture = Image.new("RGB", (width, height), (200, 180, 90))
    ImageDraw.Draw(picture).rectangle((width // 4, height // 4, width // 2, height // 2), fill=(20, 30, 120))
    return np.array(picture)


def test_the_same_generator_gives_the_same_picture() -> None:
    image = crop()
    before = image.copy()
    for seed in range(100):
        one = augment(image, np.random.default_rng((3, seed)))
        two = augment(image, np.random.default_rng((3, seed)))
        assert np.array_equal(one, two)
    assert np.array_equal(image, before)


def test_pictures_differ_and_stay_pictures() -> None:
    image = crop()
    seen = set()
    for seed in range(200):
        out = augment(image, np.random.default_rng(seed))
        assert out.dtype == np.uint8
        assert out.ndim == 3
        assert out.shape[2] == 3
        assert 10 <= out.shape[0] <= 64
        assert 20 <= out.shape[1] <= 250
        seen.add(out.tobytes())
    assert len(seen) > 180  # a few are left as they are


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (4, 3), (300, 2), (700, 900)])
def test_odd_sizes_are_no_problem(height: int, width: int) -> None:
    for seed in range(60):
        assert augment(crop(height, width), np.random.default_rng(seed)).size > 0


def test_read_only_pictures_are_no_problem() -> None:
    image = crop()
    image.flags.writeable = False
    for seed in range(60):
        assert augment(image, np.random.default_rng(seed)).size > 0


def test_the_border_is_continued_not_black() -> None:
    white = np.full((32, 100, 3), 255, dtype=np.uint8)
    from wordsight.data.augment import warp

    for seed in range(50):
        assert np.asarray(warp(white, np.random.default_rng(seed))).min() == 255


@pytest.mark.slow
def test_it_keeps_up_with_training() -> None:
    image = crop()
    best = float("inf")
    for repeat in range(5):
        start = time.perf_counter()
        for seed in range(400):
            augment(image, np.random.default_rng((repeat, seed)))
        best = min(best, time.perf_counter() - start)
    assert 400 / best > 1000
