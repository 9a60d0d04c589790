"""Large letters, found in a small copy of the picture: which regions stay."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight.detect import TextDetector
from wordsight.detect import detector as module
from wordsight.detect.large import is_large, suggest_large, with_large


def box(left: float, top: float, right: float, bottom: float):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64), 0.9


LARGE = box(100, 100, 700, 300)


@pytest.mark.parametrize(
    ("regions", "kept"),
    [
        ([], []),
        ([box(10, 400, 200, 440)], [0]),  # other text, elsewhere
        ([box(100, 105, 400, 295), box(10, 400, 200, 440)], [1]),  # half of it
        ([box(110, 110, 260, 290), box(500, 120, 690, 300)], []),  # two parts
        ([box(300, 180, 340, 200)], []),  # a speck on a letter
    ],
)
def test_parts_give_way_to_the_whole(regions, kept):
    expected = [*(regions[i] for i in kept), LARGE]
    found = with_large(regions, [LARGE])
    assert len(found) == len(expected)
    assert all(mine is other for mine, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    "regions",
    [
        [box(95, 95, 690, 310)],  # found already
        [box(110, 110, 690, 150), box(110, 160, 690, 200), box(110, 210, 690, 250)],  # lines of a notice
        [box(110, 110, 690, 200), box(110, 210, 690, 290)],  # two lines of a sign
        [box(400, 200, 1000, 400)],  # half of it is something else
        [box(0, 90, 9000, 310)],  # it is a word or a letter of a long line
    ],
)
def test_what_is_found_stays(regions):
    assert with_large(regions, [LARGE]) == regions


def test_dots_of_print_give_way_to_the_letters_that_they_form():
    """Crumbs that are much less surely found than the whole are no lines of a notice."""
    crumbs = [box(110, 110, 690, 150), box(110, 160, 690, 200)]
    faint = [(polygon, 0.5) for polygon, _ in crumbs]
    assert with_large(faint, [LARGE]) == [LARGE]
    assert with_large(crumbs, [LARGE]) == crumbs


def test_the_small_copy_is_for_pictures_where_large_letters_may_be():
    assert not suggest_large([box(0, 0, 300, 40)[0], box(0, 60, 90, 120)[0]])
    assert suggest_large([box(0, 0, 300, 40)[0], box(0, 60, 90, 130)[0]])  # a part of one
    assert suggest_large([])  # or they are not seen at all


def test_rows_of_letters_are_large_if_they_are_high_and_not_much_higher_than_wide():
    shapes = [box(0, 0, 300, 100), box(0, 0, 80, 150), box(0, 0, 300, 90), box(0, 0, 60, 150)]
    assert [is_large(polygon) for polygon, _ in shapes] == [True, True, False, False]


def test_bent_text_stays_bent():
    angles = np.radians(np.linspace(-150, -30, 8))
    outer, inner = (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1) + (400, 450) for radius in (350, 250))
    arc = np.vstack([outer, inner[::-1]]), 0.8
    around = box(*arc[0].min(axis=0), *arc[0].max(axis=0))
    assert with_large([arc], [around]) == [arc]


def test_letters_as_high_as_a_third_of_the_picture(monkeypatch):
    image = Image.new("RGB", (1280, 960), (245, 240, 230))
    ImageDraw.Draw(image).text((90, 250), "EXIT", (40, 60, 120), ImageFont.load_default(460))
    ImageDraw.Draw(image).text((90, 860), "closed on Sundays", (40, 60, 120), ImageFont.load_default(36))
    detector = TextDetector(threads=1)
    large, small = detector.detect(np.asarray(image))
    drawn = ImageDraw.Draw(image).textbbox((90, 250), "EXIT", ImageFont.load_default(460))
    assert (*large.polygon.min(axis=0), *large.polygon.max(axis=0)) == pytest.approx(drawn, abs=60)
    assert small.polygon[:, 1].min() > 840
    monkeypatch.setattr(module, "with_large", lambda regions, copied: regions)
    detector._glance = None  # parts of a picture that have one text show more of it
    parts = [box for box in detector.detect(np.asarray(image)) if box.polygon[:, 1].min() < 800]
    assert all(np.ptp(box.polygon[:, 0]) < 0.5 * (drawn[2] - drawn[0]) for box in parts)
