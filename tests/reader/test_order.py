import numpy as np
import pytest

from wordsight.reading.order import reading_order


def box(x: float, y: float, width: float, height: float = 20) -> np.ndarray:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float64)


PAGE = [
    *(box(40, 40, 90), box(150, 43, 60), box(230, 38, 120)),
    *(box(42, 80, 200), box(260, 82, 30)),
    box(45, 120, 310),
    *(box(40, 165, 20), box(80, 163, 160)),
]


@pytest.mark.parametrize("degrees", [0, 8, 30, -30, 75, 90, 135, 180, -90])
def test_a_turned_page_is_read_like_an_upright_one(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    page = [polygon @ turn for polygon in PAGE]
    shuffled = np.random.default_rng(0).permutation(len(page)).tolist()
    assert [shuffled[i] for i in reading_order([page[i] for i in shuffled])] == list(range(len(page)))


def test_most_of_the_text_says_what_is_right() -> None:
    upright = [box(40, 40 + 40 * k, 200) for k in range(3)]
    down = np.array([(300, 40), (300, 140), (280, 140), (280, 40)], np.float64)  # a word that runs down the side
    assert reading_order([upright[2], down, upright[1], upright[0]])[0] == 3
    assert [i for i in reading_order([*upright, down]) if i < 3] == [0, 1, 2]


def test_rows_may_slope_a_little_and_curved_text_counts() -> None:
    sloping = [box(60 * k, 7 * k, 50) for k in range(6)]
    assert reading_order(sloping) == [0, 1, 2, 3, 4, 5]
    arch = np.array([(0, 60), (50, 40), (100, 60), (100, 80), (50, 60), (0, 80)], np.float64)
    assert reading_order([box(0, 120, 90), arch]) == [1, 0]


def test_nothing_and_points_have_an_order() -> None:
    assert reading_order([]) == []
    assert reading_order([np.zeros((4, 2))]) == [0]
