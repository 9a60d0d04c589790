import random

import cv2
import numpy as np
import pytest

from wordsight.synth.strewn import Strewn, _Path, _Text


@pytest.fixture(scope="module")
def strewn():
    return Strewn(held_out=None)


def ground(height=360, width=480, grey=128):
    return np.full((height, width, 3), grey, np.uint8)


def area(polygons, shape):
    out = np.zeros(shape[:2], np.uint8)
    for polygon in polygons:
        cv2.fillPoly(out, [np.round(polygon).astype(np.int32)], 1)
    return out.astype(bool)


def test_pictures_and_words_are_functions_of_the_generator(strewn):
    first, second = (strewn.over(random.Random(3), ground(), []) for _ in range(2))
    assert (first[0] == second[0]).all()
    assert [text.words[0][0] for text in first[1]] == [text.words[0][0] for text in second[1]]
    assert not (strewn.over(random.Random(4), ground(), [])[0] == first[0]).all()


def test_ink_is_in_the_polygons_and_nowhere_else_but_on_plates_and_in_shadows(monkeypatch):
    monkeypatch.setattr("wordsight.synth.strewn._PATTERNS", 0.0)
    plain = Strewn(held_out=None, bent=0.5)
    inked = inside = 0
    for seed in range(30):
        picture, texts = plain.over(random.Random(seed), ground(), [])
        words = [word for text in texts for word in text.words]
        changed = np.abs(picture.astype(int) - 128).max(axis=2) > 40
        near = cv2.dilate(area([polygon for _, polygon in words], changed.shape).astype(np.uint8), np.ones((41, 41)))
        inked += changed.sum()
        inside += (changed & near.astype(bool)).sum()
        for _, polygon in words:
            here = area([polygon], changed.shape)
            # Letters differ from what they stand on, blurred ones too
            assert picture[here].std(axis=0).max() > 4
    assert inked > 10_000
    assert inside / inked > 0.99


def test_texts_lie_in_free_places(strewn):
    taken = np.array([[0, 0], [480, 0], [480, 180], [0, 180]], float)
    for seed in range(12):
        picture, texts = strewn.over(random.Random(seed), ground(), [taken])
        assert (picture[:178] == 128).all()
        assert all(text.polygon[:, 1].min() > 170 for text in texts)


def test_a_text_reaches_around_its_words(strewn):
    for seed in range(8):
        picture, texts = strewn.over(random.Random(seed), ground(), [])
        for text in texts:
            whole = area([text.polygon], picture.shape)
            words = area([polygon for _, polygon in text.words], picture.shape)
            assert (words & whole).sum() > 0.9 * words.sum()


def test_words_of_bent_texts_have_as_many_points_as_they_bend():
    bent = [
        polygon
        for seed in range(20)
        for text in Strewn(held_out=None, bent=1.0).over(random.Random(seed), ground(), [])[1]
        for _, polygon in text.words
    ]
    assert sum(len(polygon) > 4 for polygon in bent) > len(bent) / 2
    assert all(len(polygon) % 2 == 0 for polygon in bent)


@pytest.mark.parametrize("degrees", [25, 90, 190])
def test_outlines_of_bent_texts_are_round(degrees):
    mask = np.full((32, 4 * 32), 255, np.uint8)
    path = _Path(_Text(mask, [("bent", (0, 0, 128, 32))]), 32.0, 0.0, np.radians(degrees))
    (text,) = path.paint(random.Random(1), ground(), np.zeros((360, 480), np.uint8))
    centre = np.array([0, 128 / np.radians(degrees)])
    for polygon in (text.polygon, text.words[0][1]):
        for side in np.split(polygon, 2):
            radius = np.linalg.norm(side - centre, axis=1)
            between = np.linalg.norm((side[1:] + side[:-1]) / 2 - centre, axis=1)
            assert np.ptp(radius) < 1e-6
            assert between.min() > 0.996 * radius.min()


def test_patterns_are_no_texts(monkeypatch):
    monkeypatch.setattr("wordsight.synth.strewn._PATTERNS", 1.0)
    monkeypatch.setattr("wordsight.synth.strewn._TOGETHER", 0.0)
    patterned, seen = Strewn(held_out=None), 0
    for seed in range(12):
        picture, texts = patterned.over(random.Random(seed), ground(), [])
        seen += (np.abs(picture.astype(int) - 128).max(axis=2) > 40).sum()
        assert not texts
    assert seen > 10_000


def test_pages_are_full_of_words(strewn):
    counts = []
    for seed in range(6):
        picture, texts = strewn.page(random.Random(seed), 320, 320)
        words = [word for text in texts for word in text.words]
        assert picture.shape == (320, 320, 3)
        assert all((polygon.max(axis=0) > 0).all() and (polygon.min(axis=0) < 320).all() for _, polygon in words)
        counts.append(len(words))
    assert min(counts) >= 3
    assert np.mean(counts) > 15


def test_texts_that_stand_together_do_not_cover_each_other(monkeypatch):
    monkeypatch.setattr("wordsight.synth.strewn._TOGETHER", 1.0)
    together = Strewn(held_out=None)
    rows = 0
    for seed in range(12):
        picture, texts = together.over(random.Random(seed), ground(), [])
        areas = [area([polygon for _, polygon in text.words], picture.shape) for text in texts]
        assert (np.sum(areas, axis=0) > 1).sum() <= 0.02 * sum(a.sum() for a in areas)
        rows += len(texts)
    assert rows > 24
