"""Type that is in no font: dots, segments, embossed and pale letters."""

import random
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from wordsight.synth.dots_and_segments import DOTS, SEGMENTED, displayed, pale, pressed, set_dots, set_segments
from wordsight.synth.draft import Draft, painted
from wordsight.synth.geometry import View
from wordsight.synth.photograph import told_apart


def _parts(mask: np.ndarray) -> int:
    """How many separate parts a mask has."""
    return int(cv2.connectedComponents((mask > 127).astype(np.uint8))[0]) - 1


def test_the_matrix_has_different_letters() -> None:
    assert {cells.shape for cells in DOTS.values()} == {(7, 5)}
    assert {*"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-/"} <= {*DOTS}
    assert len({cells.tobytes() for cells in DOTS.values()}) == len(DOTS)


def test_dots_are_set_in_order() -> None:
    line = set_dots(random.Random(1), "LOT 72")
    assert line is not None
    assert line.mask.shape[1] > 3 * line.mask.shape[0]
    wide = set_dots(random.Random(1), "LOT 7272")
    assert wide is not None
    assert wide.mask.shape[1] > line.mask.shape[1]
    lines = [set_dots(random.Random(seed), "LOT 72") for seed in range(8)]
    assert max(_parts(line.mask) for line in lines if line) > 40  # dots, not strokes, unless they run together
    assert set_dots(random.Random(1), "Lot") is None
    assert set_dots(random.Random(1), " ") is None


@pytest.mark.parametrize("seed", range(12))
def test_points_of_displays_are_lit(seed: int) -> None:
    with_point, without = (set_segments(random.Random(seed), text) for text in ("23.5", "235"))
    assert with_point is not None
    assert without is not None
    assert with_point.lit.mask.shape == with_point.dark.mask.shape
    assert with_point.lit.mask.astype(int).sum() > without.lit.mask.astype(int).sum() + 255
    assert not ((without.lit.mask > 200) & (without.dark.mask > 200)).any()
    colon = set_segments(random.Random(seed), "12:30")
    assert colon is not None
    eights = set_segments(random.Random(seed), "88")
    assert eights is not None
    assert not eights.dark.mask.any()


def test_what_segments_cannot_show() -> None:
    assert set_segments(random.Random(1), "W") is None
    assert set_segments(random.Random(1), ".:") is None
    assert {*"0123456789-.:°"} <= SEGMENTED


def _draft(ground: int) -> Draft:
    letters = np.zeros((32, 64), np.uint8)
    letters[8:24, 10:20] = letters[8:24, 40:44] = 255
    return Draft(View(32, 64, 32, 64), letters, np.full((32, 64, 3), ground, np.uint8), (0, 0, 0), contrast=0.05)


def _seen(draft: Draft) -> np.ndarray:
    picture, letters = painted(draft)
    return 255 * told_apart(picture, letters, draft.contrast).mean(2)


@pytest.mark.parametrize("material", [pressed, pale])
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_letters_stay_visible(material: Callable[[random.Random, Draft], Draft], ground: int) -> None:
    for seed in range(20):
        draft = material(random.Random(seed), _draft(ground))
        picture = _seen(draft)
        flat = picture[:, 50:].mean()  # beside the letters
        assert abs(picture[:, 8:22] - flat).max() > 10
        if material is pale:
            assert picture.min() > 140


def test_displays_are_told_from_their_ground() -> None:
    for seed in range(30):
        dark = np.zeros((32, 64), np.uint8)
        dark[8:24, 50:60] = 255
        draft = displayed(random.Random(seed), _draft(128), dark)
        picture = _seen(draft)
        lit, ghost, ground = picture[10:22, 12:18].mean(), picture[10:22, 52:58].mean(), picture[2:6].mean()
        assert abs(lit - ground) > 3 * abs(ghost - ground)
        assert abs(lit - ground) > 40
