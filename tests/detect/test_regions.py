"""Polygons out of maps that are drawn here: straight lines, bent ones, rings."""

import numpy as np
import pytest

from wordsight.detect.maps import find_regions
from wordsight.imaging import rectify
from wordsight.imaging.geometry import area


def arc(radius: float, degrees: float, thickness: float, middle: float = -90.0, size: int = 400) -> np.ndarray:
    """A map with a band along an arc around its middle; at -90 degrees it is an arch."""
    y, x = np.mgrid[:size, :size] - size / 2
    angle = (np.degrees(np.arctan2(y, x)) - middle + 180) % 360 - 180
    inside = (np.abs(np.hypot(x, y) - radius) < thickness / 2) & (np.abs(angle) < degrees / 2)
    return inside.astype(np.float32) * 0.9


def found(probability: np.ndarray, unclip: float = 1.5):
    return find_regions(probability, 0.3, 0.5, unclip)


def drawn(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    import cv2

    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(polygon).astype(np.int32)], 1)
    return out > 0


@pytest.mark.parametrize("degrees", [60, 120, 180])
@pytest.mark.parametrize("thickness", [10, 24])
@pytest.mark.parametrize("middle", [-90, 90, -60])
def test_arcs_get_polygons_that_follow_them(degrees, thickness, middle):
    probability = arc(130, degrees, thickness, middle)
    ((polygon, score),) = found(probability)
    assert len(polygon) > 4
    assert len(polygon) % 2 == 0
    assert area(polygon) > 0  # clockwise
    assert 0.6 < score <= 0.9001
    length = np.radians(degrees) * 130
    grown = 1.35 * 1.5 * length * thickness / (2 * (length + thickness))
    beyond = grown + 0.3 * thickness
    wanted = arc(130, degrees + np.degrees(2 * beyond / 130), thickness + 2 * grown, middle) > 0
    got = drawn(polygon, probability.shape)
    assert (wanted & got).sum() / (wanted | got).sum() > 0.8  # the mask is one pixel wider, as PP-OCR has it
    top, bottom = polygon[: len(polygon) // 2], polygon[len(polygon) // 2 :]
    assert top[0, 0] < top[-1, 0]  # from left to right
    outwards = np.linalg.norm(top - 200, axis=1).mean() > np.linalg.norm(bottom - 200, axis=1).mean()
    assert outwards == (middle < 0)  # the top of an arch is outside, that of a smile inside


@pytest.mark.parametrize("squeezed", [0.5, 0.8])
def test_half_an_ellipse_is_followed_too(squeezed):
    import cv2

    shape = cv2.warpAffine(arc(150, 180, 16), np.array([[1.0, 0, 0], [0, squeezed, 0]]), (400, 400))
    ((polygon, _),) = found(shape, unclip=1.0)
    spine = (polygon[: len(polygon) // 2] + polygon[: len(polygon) // 2 - 1 : -1]) / 2 - (200, 200 * squeezed)
    radius = np.hypot(spine[:, 0], spine[:, 1] / squeezed)
    assert np.abs(radius[1:-1] - 150).max() < 12
    assert spine[1, 0] == pytest.approx(-150, abs=8)  # the first reaches beyond the end
    assert spine[-2, 0] == pytest.approx(150, abs=8)


def test_a_bent_polygon_can_be_straightened():
    probability = arc(130, 150, 20)
    ((polygon, _),) = found(probability)
    image = np.repeat((probability[..., None] * 255).astype(np.uint8), 3, axis=2)
    strip = rectify(image, polygon)
    height, width = strip.shape[:2]
    assert width > 5 * height
    middle = strip[height // 2, width // 10 : -width // 10, 0]
    assert (middle > 200).mean() > 0.95  # the band runs along the middle of the strip


@pytest.mark.parametrize("angle", [0, 15, 45, 80])
def test_straight_lines_get_four_corners(angle):
    import cv2

    probability = np.zeros((300, 300), np.float32)
    corners = cv2.boxPoints(((150, 150), (200, 16), angle)).astype(np.int32)
    cv2.fillPoly(probability, [corners], 0.8)
    ((polygon, score),) = found(probability, unclip=1.0)
    assert polygon.shape == (4, 2)
    assert 0.6 < score <= 0.8001
    sides = np.linalg.norm(polygon[[1, 3]] - polygon[0], axis=1)
    growth = 200 * 16 / 216
    assert sorted(sides) == pytest.approx([16 + growth, 200 + growth], abs=5)


def test_rings_and_corners_get_rectangles():
    ring = arc(100, 360, 12)
    blob = np.zeros((400, 400), np.float32)
    blob[100:140, 100:140] = 0.9
    blob[120:160, 130:150] = 0.9
    for probability in (ring, blob):
        for polygon, _ in found(probability):
            assert len(polygon) == 4


def test_text_inside_a_ring_is_found_and_the_hole_is_not():
    probability = arc(150, 360, 12)
    probability[190:210, 150:250] = 0.9
    assert len(find_regions(probability, 0.3, 0.8, 1.0)) == 1


def test_what_is_unsure_or_small_is_none():
    probability = np.zeros((100, 100), np.float32)
    probability[20:40, 10:90] = 0.4
    probability[60:61, 10:90] = 0.9
    assert found(probability) == []


def test_whatever_the_shape_there_is_a_polygon_or_none():
    import cv2

    bent = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        small = rng.random(rng.integers(4, 40, 2)).astype(np.float32)
        probability = cv2.resize(small, tuple(map(int, rng.integers(20, 400, 2))), interpolation=cv2.INTER_CUBIC)
        for polygon, _ in find_regions(probability, float(rng.choice([0.5, 0.7, 0.8])), 0.0, 1.25):
            assert np.isfinite(polygon).all()
            assert len(polygon) % 2 == 0
            bent += len(polygon) > 4
    assert bent > 30
