import numpy as np
import pytest
from PIL import Image

from wordsight.errors import ConfigError, ImageError
from wordsight.imaging import Preprocessing, prepare


def crops(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*rng.integers(1, 90, 2), 3), dtype=np.uint8) for _ in range(count)]


def test_values_and_layout():
    spec = Preprocessing(2, 2, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    crop = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [51, 51, 51]]], np.uint8)
    result = prepare([crop], spec)
    assert result.dtype == np.float32
    expected = (crop / 255 - np.array(spec.mean)) / np.array(spec.std)
    np.testing.assert_allclose(result[0], expected.transpose(2, 0, 1), atol=1e-6)


def test_it_is_pillows_bicubic_stretch():
    crop = crops(1)[0]
    expected = np.asarray(Image.fromarray(crop).resize((128, 32), Image.Resampling.BICUBIC), np.float32)
    np.testing.assert_allclose(prepare([crop], Preprocessing())[0], expected.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_a_crop_does_not_depend_on_its_batch(count):
    batch = crops(count)
    together = prepare(batch, Preprocessing())
    for crop, result in zip(batch, together, strict=True):
        np.testing.assert_array_equal(prepare([crop], Preprocessing())[0], result)


def test_a_view_of_a_larger_picture():
    picture = np.random.default_rng(1).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    view = picture[10:40:2, 80:20:-1]
    np.testing.assert_array_equal(prepare([view], Preprocessing()), prepare([view.copy()], Preprocessing()))


def test_no_crops():
    assert prepare([], Preprocessing(8, 16)).shape == (0, 3, 8, 16)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 0, 3), np.uint8),
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
    ],
)
def test_what_is_no_crop_is_named(crop):
    with pytest.raises(ImageError, match="crop 1 is"):
        prepare([*crops(1), crop], Preprocessing())


def test_round_trip_through_a_dictionary():
    spec = Preprocessing(224, 224, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert Preprocessing.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"width": "wide"},
        {"mean": [0.5]},
        {"std": [1, 1, 0]},
        {"mean": None},
        {"mean": [0, 0, float("nan")]},
        {"more": 1},
    ],
)
def test_nonsense_is_refused(change):
    with pytest.raises(ConfigError, match="preprocessing"):
        Preprocessing.from_dict(Preprocessing().to_dict() | change)
