from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import BoxError
from wordsight.imaging import rectify
from wordsight.imaging.geometry import as_polygon
from wordsight.imaging.rectify import LONGEST, part_of, reduced


def gradient(height: int = 100, width: int = 200) -> np.ndarray:
    """Red grows with x, green with y, so that a pixel tells where it came from."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def test_an_upright_box_is_a_plain_crop():
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    strip = rectify(image, [(10, 20), (50, 20), (50, 45), (10, 45)])
    np.testing.assert_array_equal(strip, image[20:45, 10:50])
    whole = rectify(image, [(0, 0), (90, 0), (90, 60), (0, 60)])
    np.testing.assert_array_equal(whole, image)


def test_counter_clockwise_points_are_turned_round():
    image = gradient()
    corners = [(10, 20), (50, 20), (50, 45), (10, 45)]
    backwards = [corners[0], corners[3], corners[2], corners[1]]
    np.testing.assert_array_equal(rectify(image, corners), rectify(image, backwards))


def test_the_first_point_is_the_texts_top_left():
    image = np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    corners = [(10, 20), (50, 20), (50, 45), (10, 45)]
    turned = rectify(image, corners[2:] + corners[:2])
    np.testing.assert_array_equal(turned, image[20:45, 10:50][::-1, ::-1])
    quarter = rectify(image, corners[1:] + corners[:1])
    np.testing.assert_array_equal(quarter, np.rot90(image[20:45, 10:50]))


def test_a_rotated_box_comes_out_upright():
    canvas = Image.new("RGB", (300, 300), "white")
    canvas.paste("red", (100, 130, 200, 150))
    canvas.paste("blue", (100, 150, 200, 170))
    angle = np.deg2rad(30)
    image = np.asarray(canvas.rotate(-30, Image.Resampling.BICUBIC))  # clockwise
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    box = np.array([(100, 130), (200, 130), (200, 170), (100, 170)]) - 150
    strip = rectify(image, box @ rotation.T + 150)
    assert strip.shape == (40, 100, 3)
    assert (strip[4:16, 4:-4] == (255, 0, 0)).all()
    assert (strip[24:36, 4:-4] == (0, 0, 255)).all()


def test_perspective_is_undone():
    """A board seen at an angle: its middle line must come out in the middle, which a bilinear map would not do."""
    quad = np.array([(20, 40), (180, 10), (180, 90), (20, 60)], float)
    strip = rectify(gradient(), quad)
    assert strip.shape == (50, 163, 3)
    # where the diagonals meet is the centre of the board
    assert strip[25, 81, 0] == pytest.approx(20 + 160 / 5, abs=2)
    assert strip[25, 81, 1] == pytest.approx(50, abs=2)


def test_curved_text_is_straightened():
    angles = np.deg2rad(np.linspace(-150, -30, 9))
    centre, inner, outer = np.array([200.0, 220.0]), 100, 140
    yy, xx = np.mgrid[0:300, 0:400] + 0.5
    radius = np.hypot(xx - centre[0], yy - centre[1])
    image = np.zeros((300, 400, 3), np.uint8)
    image[radius > (inner + outer) / 2] = 255  # upper half of the band is white
    image[(radius > outer + 3) | (radius < inner - 3)] = (255, 0, 0)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    strip = rectify(image, np.concatenate([centre + outer * ring, (centre + inner * ring)[::-1]]))
    assert strip.shape[0] == pytest.approx(40, abs=1)
    assert strip.shape[1] == pytest.approx(np.deg2rad(120) * 120, abs=4)
    assert (strip[6:17, 3:-3] > 250).all()
    assert (strip[23:35, 3:-3] < 5).all()


@pytest.mark.parametrize("extra", [1, 2, 3])
def test_points_along_the_sides_change_nothing(extra):
    image = np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    top = [(x, 20) for x in np.linspace(10, 50, 2 + extra)]
    bottom = [(x, 45) for x in np.linspace(50, 10, 2 + extra)]
    strip = rectify(image, top + bottom)
    assert strip.shape == (25, 40, 3)
    assert np.abs(strip.astype(int) - image[20:45, 10:50]).mean() < 1


def test_an_odd_number_of_points():
    image = np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    for polygon in (
        [(10, 20), (30, 20), (50, 20), (50, 45), (10, 45)],
        [(10, 20), (50, 20), (50, 45), (30, 45), (10, 45)],
    ):
        strip = rectify(image, polygon)
        assert strip.shape == (25, 40, 3)
        assert np.abs(strip.astype(int) - image[20:45, 10:50]).mean() < 1


def test_a_box_partly_outside_is_clipped():
    image = gradient()
    strip = rectify(image, [(-50, -20), (30, -20), (30, 40), (-50, 40)])
    np.testing.assert_array_equal(strip, image[:40, :30])
    strip = rectify(image, [(150, 50), (1e6, 50), (1e6, 1e6), (150, 1e6)])
    assert strip.shape == (50, 50, 3)
    assert np.abs(strip.astype(int) - image[50:, 150:]).max() <= 2
    polygon = [(-50, 10), (50, 10), (100, 10), (100, 40), (50, 40), (-50, 40)]
    assert rectify(image, polygon).shape == (30, 100, 3)


def test_a_turned_box_partly_outside_is_cut_along_its_own_sides():
    image = gradient()
    # a diamond around the image's left border: its outer half goes, along the diamond's own sides
    strip = rectify(image, [(-10, 50), (30, 10), (70, 50), (30, 90)])
    assert strip.shape[0] == pytest.approx(np.hypot(40, 40), abs=1)
    strip = rectify(image, [(-40, 50), (0, 10), (40, 50), (0, 90)])
    assert strip.size > 0
    assert strip[..., 0].max() < 45


def test_a_huge_box_gives_a_strip_of_bounded_size(monkeypatch):
    image = np.zeros((3000, 5000, 3), np.uint8)
    image[:, 2500:] = 200
    monkeypatch.setattr(import_module("wordsight.imaging.rectify"), "MAX_STRIP", 500)
    strip = rectify(image, [(0, 0), (5000, 0), (5000, 3000), (0, 3000)])
    assert strip.shape == (300, 500, 3)
    assert (strip[:, :248] == 0).all()
    assert (strip[:, 252:] == 200).all()


def test_a_long_line_keeps_a_height_that_can_be_read(monkeypatch):
    image = np.zeros((100, 9000, 3), np.uint8)
    monkeypatch.setattr(import_module("wordsight.imaging.rectify"), "MAX_STRIP", 500)
    strip = rectify(image, [(0, 0), (9000, 0), (9000, 100), (0, 100)])
    assert strip.shape == (64, 5760, 3)


def test_scaling_down_smooths(monkeypatch):
    """Stripes of one pixel must become grey, not a moire pattern."""
    image = np.zeros((640, 4096, 3), np.uint8)
    image[:, ::2] = 255
    monkeypatch.setattr(import_module("wordsight.imaging.rectify"), "MAX_STRIP", 512)
    strip = rectify(image, [(0, 0), (4096, 0), (4096, 640), (0, 640)])
    assert strip.shape == (80, 512, 3)
    assert np.abs(strip[2:-2, 2:-2].astype(int) - 127).max() <= 6


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([(0, 0), (10, 0), (10, float("nan")), (0, 10)], "NaN"),
        ([(0, 0), (float("inf"), 0), (10, 10), (0, 10)], "infinite"),
        ([(0, 0), (10, 0), (10, 10)], "at least four"),
        ([(0, 0), (10, 0)], "at least four"),
        ([], "at least four"),
        ([0, 0, 10, 10], "at least four"),
        ("nonsense", "pairs of numbers"),
        ([(5, 5), (5, 5), (5, 5), (5, 5)], "empty"),
        ([(5, 5), (50, 5), (50, 5), (5, 5)], "empty"),
        ([(5, 5), (50, 50), (30, 30), (5, 5)], "empty"),
        ([(5, 5), (5.5, 5), (5.5, 5.5), (5, 5.5)], "empty"),
        ([(5, 5), (50, 5), (5, 25), (50, 25)], "cross"),
        ([(300, 5), (350, 5), (350, 25), (300, 25)], "outside"),
        ([(-300, 5), (-250, 5), (-250, 25), (-300, 25)], "outside"),
        ([(-30, 60), (-10, 80), (10, 130), (-10, 150)], "outside"),  # its bounding box is not outside
        ([(5, 5), (30, 5), (50, 5), (50, 5), (30, 5), (5, 5)], "empty"),
        ([(1e300, 5), (30, 5), (50, 50), (50, 5)], "million"),
    ],
)
def test_a_box_that_cannot_be_cut_is_one_line(polygon, message):
    with pytest.raises(BoxError, match=message) as caught:
        rectify(gradient(), polygon)
    assert "\n" not in str(caught.value)


def test_random_boxes_never_fail_otherwise():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    cut = 0
    for trial in range(600):
        points = rng.normal(30, [5, 40, 400][trial % 3], (rng.integers(4, 9), 2))
        if trial % 2:
            points = points.round(-1)  # corners in line, and repeated ones
        try:
            strip = rectify(image, points)
        except BoxError:
            continue
        cut += 1
        assert strip.dtype == np.uint8
        assert strip.ndim == 3
        assert min(strip.shape) >= 1
        assert max(strip.shape) <= 2048
    assert cut > 200


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (3, 50_000)])
def test_strips_are_no_longer_than_lines_of_text(size: tuple[int, int]) -> None:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    whole = [(0, 0), (width, 0), (width, height), (0, height)]
    for strip in (reduced(image), rectify(image, whole)):
        assert max(strip.shape[:2]) == LONGEST * min(size)
        assert min(strip.shape[:2]) == min(size)


def test_numbers_that_no_float_holds_are_refused() -> None:
    with pytest.raises(BoxError, match="not a list"):
        as_polygon([(0, 0), (10**400, 0), (10**400, 5), (0, 5)])


def test_a_part_of_a_polygon_is_what_becomes_that_part_of_its_strip():
    rng = np.random.default_rng(0)
    image = np.asarray(Image.fromarray(rng.integers(0, 255, (30, 30, 3), np.uint8)).resize((300, 300)))
    angles = np.linspace(np.pi, 0, 9)
    arc = np.concatenate(
        [np.stack([150 + r * np.cos(a), 200 - r * np.sin(a)], axis=1) for r, a in ((140, angles), (100, angles[::-1]))]
    )
    quad = np.array([(20, 30), (280, 60), (270, 120), (30, 100)], float)
    for polygon in (arc, quad):
        whole = rectify(image, polygon)
        width = whole.shape[1]
        part = rectify(image, part_of(polygon, 0.25, 0.75))
        expected = whole[:, round(0.25 * width) : round(0.75 * width)]
        part = np.asarray(Image.fromarray(part).resize(expected.shape[1::-1]))
        assert np.abs(part.astype(int) - expected).mean() < 12
    assert len(part_of(arc, 0.25, 0.75)) == 10
    assert len(part_of(arc, 0.3, 0.35)) == 4
