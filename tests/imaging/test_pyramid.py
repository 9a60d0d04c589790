"""Boxes cut out of copies of a photo that are as small as they may be."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wordsight.errors import BoxError
from wordsight.imaging import Pyramid, rectify
from wordsight.imaging.geometry import MAX_BOXES, few
from wordsight.imaging.rectify import ENOUGH


@pytest.fixture(scope="module")
def photo():
    """Circles, lines and soft noise, 2400 x 1600, so that half copies of odd sizes occur."""
    dice = np.random.default_rng(0)
    image = Image.fromarray(dice.integers(90, 160, (16, 24, 3), dtype=np.uint8)).resize((2402, 1602))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, size = (int(dice.integers(high)) for high in (2300, 1500, 300))
        draw.ellipse([x, y, x + size, y + size], outline=tuple(dice.integers(256, size=3).tolist()), width=30)
    return np.asarray(image)


def box(x, y, width, height, turn=0.0):
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    cos, sin = np.cos(turn), np.sin(turn)
    return corners @ np.array([(cos, sin), (-sin, cos)]) + (x, y)


ARCH = np.array([(300, 500), (900, 300), (1500, 500), (1500, 1000), (900, 800), (300, 1000)], float)


@pytest.mark.parametrize(
    "polygon",
    [
        box(10, 10, 90, 30),
        box(500, 100, 1500, 2 * ENOUGH - 1),  # long, but no higher than need be
        box(500, 100, 40, 1400),
        np.array([(100, 100), (1900, 700), (1900, 760), (100, 1300)], float),  # its far end is low
        box(-5000, -5000, 5100, 5040),  # only a corner is seen
    ],
)
def test_of_boxes_that_are_small_somewhere_nothing_changes(photo, polygon):
    np.testing.assert_array_equal(Pyramid(photo).cut(polygon), rectify(photo, polygon))


@pytest.mark.parametrize("polygon", [box(0, 0, 2402, 1602), box(700, 100, 1300, 900, 0.3), box(60, 50, 900, 500), ARCH])
def test_large_ones_show_the_same_at_a_smaller_size(photo, polygon):
    small, large = Pyramid(photo).cut(polygon), rectify(photo, polygon)
    assert ENOUGH <= min(small.shape[:2]) <= 2 * ENOUGH
    assert small.shape[1] / small.shape[0] == pytest.approx(large.shape[1] / large.shape[0], rel=0.02)
    same = (200, 100)
    one, other = (np.asarray(Image.fromarray(x).resize(same, Image.Resampling.BOX), float) for x in (small, large))
    assert np.abs(one - other).mean() < 2.0
    assert np.abs(one - other).mean() < np.abs(one - other[::-1]).mean() / 5


def test_copies_are_made_once_and_only_when_asked_for(photo, monkeypatch):
    made = []
    real = Image.Image.reduce
    monkeypatch.setattr(Image.Image, "reduce", lambda self, by: made.append(self.size) or real(self, by))
    pyramid = Pyramid(photo)
    pyramid.cut(box(10, 10, 90, 30))
    assert made == []
    for _ in range(3):
        pyramid.cut(box(0, 0, 2402, 1602))
    assert made == [(2402, 1602), (1201, 801), (601, 401)]


def test_errors_name_the_numbers_that_were_given(photo):
    crossed = np.array([(0, 0), (2000, 1500), (2000, 0), (0, 1500)], float)
    for polygon, words in ((crossed, r"\(0, 0\) \(2000, 1500\)"), (box(9000, 0, 900, 900), "2402 x 1602")):
        with pytest.raises(BoxError, match=words):
            Pyramid(photo).cut(polygon)


def test_a_photo_has_only_so_many_boxes():
    assert len(few([[0, 0, 1, 1]] * MAX_BOXES, "a")) == MAX_BOXES
    endless = iter(lambda: [0, 0, 1, 1], None)
    with pytest.raises(BoxError, match=r"^a\.png: there are more than 10,000 boxes"):
        few(endless, "a.png")
