"""RandAugment: what each operation does at the strength of the released training, and a picture of all of them.

`python tests/data/test_randaugment.py OUT.png` writes that picture for people to look at.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight.data import rand_augment
from wordsight.data.randaugment import OPERATIONS

STRENGTHS = (0, 1, 3, 5, 7, 10)


class Coin:
    """A generator whose coins all fall on one side: the sign of signed operations."""

    def __init__(self, positive: bool) -> None:
        self._positive = positive
        self._rng = np.random.default_rng(0)

    def random(self) -> float:
        return 0.0 if self._positive else 1.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._rng, name)


def word(text: str = "Coffee", size: tuple[int, int] = (120, 40)) -> np.ndarray:
    """Dark text over a gradient with some red in it."""
    across = np.linspace(90, 220, size[0])
    pixels = np.stack([np.broadcast_to(across, size[::-1])] * 3, axis=2).copy()
    pixels[:, :, 2] *= 0.7
    image = Image.fromarray(pixels.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.text((10, 3), text, (110, 25, 30), ImageFont.load_default(28))
    return np.array(image)


def apply(name: str, image: np.ndarray, *, positive: bool = True, magnitude: float = 5) -> np.ndarray:
    return np.array(OPERATIONS[name](Image.fromarray(image), magnitude / 10, Coin(positive)))  # type: ignore[arg-type]


def sheet() -> Image.Image:
    """Every operation (rows) at every strength (columns), both signs."""
    image = word()
    cell = (158, 98)
    canvas = Image.new("RGB", (110 + 2 * len(STRENGTHS) * cell[0], 20 + len(OPERATIONS) * cell[1]), "white")
    pen = ImageDraw.Draw(canvas)
    for row, name in enumerate(OPERATIONS):
        pen.text((4, 50 + row * cell[1]), name, "black")
        for column, (strength, positive) in enumerate((s, p) for p in (True, False) for s in STRENGTHS):
            place = 110 + column * cell[0], 20 + row * cell[1]
            if row == 0:
                pen.text((place[0] + 4, 4), f"{strength}, {'heads' if positive else 'tails'}", "black")
            canvas.paste(Image.fromarray(apply(name, image, positive=positive, magnitude=strength)), place)
    return canvas


def test_a_picture_shows_every_operation_at_every_strength(tmp_path: Path) -> None:
    sheet().save(tmp_path / "randaugment.png")
    with Image.open(tmp_path / "randaugment.png") as picture:
        assert picture.height > 16 * word().shape[0]


def test_there_are_sixteen() -> None:
    assert len(OPERATIONS) == 16


def test_the_same_generator_gives_the_same_picture() -> None:
    image = word()
    first = [rand_augment(image, np.random.default_rng((3, i))) for i in range(40)]
    again = [rand_augment(image, np.random.default_rng((3, i))) for i in range(40)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({picture.tobytes() for picture in first}) > 30
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in first)


def test_the_crop_itself_is_left_alone() -> None:
    image = word()
    before = image.copy()
    for i in range(30):
        rand_augment(image, np.random.default_rng(i)).fill(0)
    assert np.array_equal(image, before)


def test_three_are_drawn_none_twice_and_half_of_them_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[str] = Counter()
    per_crop: Counter[int] = Counter()
    mine: list[str] = []
    for name in OPERATIONS:
        monkeypatch.setitem(OPERATIONS, name, lambda picture, share, rng, name=name: mine.append(name) or picture)
    image = np.zeros((4, 4, 3), np.uint8)
    for i in range(4000):
        rand_augment(image, np.random.default_rng(i))
        assert len(set(mine)) == len(mine)
        per_crop[len(mine)] += 1
        made.update(mine)
        mine.clear()
    # Binomial(3, 1/2): 1/8, 3/8, 3/8, 1/8; each of the sixteen 3/16 * 1/2 of the time (375 of 4,000, deviation 18).
    assert [round(per_crop[k] / 4000, 1) for k in range(4)] == [0.1, 0.4, 0.4, 0.1]
    assert all(abs(made[name] - 375) < 75 for name in OPERATIONS)


def test_strengths_are_those_of_the_released_training() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(20, axis=0)
    levels = grey[0, :, 0].astype(int)
    assert len(np.unique(apply("Posterize", grey))) == 4  # two bits
    assert np.array_equal(apply("Solarize", grey)[0, :, 0], np.where(levels < 128, levels, 255 - levels))
    assert np.array_equal(apply("SolarizeAdd", grey)[0, :, 0], np.where(levels < 128, levels + 55, levels))
    assert np.array_equal(apply("Invert", grey), 255 - grey)
    assert apply("Brightness", np.full((4, 4, 3), 100, np.uint8)).max() == 145
    assert apply("Brightness", np.full((4, 4, 3), 100, np.uint8), positive=False).max() == 55
    red = np.zeros((4, 4, 3), np.uint8)
    red[:, :, 0] = 100  # its grey is 30 (BT.601)
    assert apply("Color", red, positive=False)[0, 0].tolist() == [68, 13, 13]
    middle = np.concatenate([np.full((4, 4, 3), 50, np.uint8), np.full((4, 4, 3), 150, np.uint8)])
    assert sorted({*apply("Contrast", middle, positive=False)[:, 0, 0].tolist()}) == [72, 127]
    assert apply("AutoContrast", middle).min() == 0


def test_geometry_is_that_of_the_released_training() -> None:
    turned = apply("Rotate", word(size=(100, 40)))
    # 15 degrees, with room for the corners: 100 cos + 40 sin by 100 sin + 40 cos.
    assert abs(turned.shape[1] - 106.9) < 2
    assert abs(turned.shape[0] - 64.5) < 2
    assert turned[0, 0].tolist() == [128, 128, 128]
    bar = np.zeros((101, 200, 3), dtype=np.uint8)
    bar[:, 100:] = 255

    def edge(picture: np.ndarray, row: int) -> int:
        return int(np.argmax(picture[row, :, 0] > 200))

    for positive, sign in ((True, -1), (False, 1)):
        moved = apply("TranslateX", bar, positive=positive)
        assert abs(edge(moved, 50) - (100 + sign * 10)) <= 1  # 5 % of 200
        sheared = apply("ShearX", bar, positive=positive)
        assert abs(edge(sheared, 90) - edge(sheared, 10) - sign * 0.45 * 80) <= 2
        assert (apply("TranslateY", bar, positive=positive)[7 if sign > 0 else -7] == 128).all()  # 15 % of 101 is 15
        assert (apply("ShearY", np.swapaxes(bar, 0, 1).copy(), positive=positive)[100, :, 0] > 200).any()


def test_blur_and_noise_are_capped_on_small_crops() -> None:
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    large = np.zeros((41, 200, 3), np.uint8)
    large[20, 100] = 255
    # 2 % of 41 is less than 1: radius 1; 2 % of 200 allows 2. A wider blur has a lower peak.
    assert apply("GaussianBlur", dot).max() > 2 * apply("GaussianBlur", large).max()
    flat = np.full((64, 256, 3), 128, np.uint8)
    noise = apply("PoissonNoise", flat).astype(int) - 128
    assert (noise == noise[:, :, :1]).all()
    assert abs(np.abs(noise).mean() - 21) < 1
    assert abs(noise.mean()) < 1
    small = apply("PoissonNoise", np.full((20, 20, 3), 128, np.uint8)).astype(int) - 128
    assert abs(np.abs(small).mean() - 5) < 0.6  # 20 % of 20 is 4, made odd


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (300, 2)])
def test_odd_sizes_survive(size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
    for name in OPERATIONS:
        for magnitude in STRENGTHS:
            assert min(apply(name, image, magnitude=magnitude).shape) >= 1


if __name__ == "__main__":
    sheet().save(sys.argv[1])
