import numpy as np
import pytest

from wordsight.synth.setting import stamp


@pytest.mark.parametrize("x", range(-7, 10))
def test_a_stamp_is_cut_off_at_the_edges_and_missing_beyond_them(x: int) -> None:
    for y in range(-7, 10):
        canvas, mask = np.zeros((5, 6), np.uint8), np.full((3, 4), 7, np.uint8)
        stamp(canvas, mask, x, y)
        wide = np.zeros((40, 40), np.uint8)
        wide[y + 15 : y + 18, x + 15 : x + 19] = 7
        assert (canvas == wide[15:20, 15:21]).all(), y
