import numpy as np

from wordsight.data.scenes import SceneWord
from wordsight.train.detection_lines import lines_of


def word(text, x, y, width=None, height=20.0, legible=True, turn=0.0):
    width = 12.0 * len(text) if width is None else width
    corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return SceneWord(corners @ matrix.T, text, legible)


def texts(*words):
    return sorted(line.text for line in lines_of(words))


def test_words_that_follow_each_other_closely_are_one_line():
    row = word("WAY", 0, 0), word("OUT", 48, 1), word("LATER", 160, 0)
    assert texts(*row) == ["LATER", "WAY OUT"]
    line = next(line for line in lines_of(row) if line.text == "WAY OUT")
    np.testing.assert_allclose(line.polygon, [(0, 0), (84, 0), (84, 21), (0, 21)], atol=0.8)


def test_the_order_of_labels_and_the_turn_of_the_row_do_not_matter():
    row = [word("A1", 0, 0, turn=0.6), word("B2", 34, 0, turn=0.6), word("C3", 68, 0, turn=0.6)]
    assert texts(*reversed(row)) == ["A1 B2 C3"]


def test_words_of_other_rows_sizes_and_directions_stay_apart():
    assert texts(word("UP", 0, 0), word("DOWN", 0, 26)) == ["DOWN", "UP"]
    assert texts(word("big", 0, 0, height=50), word("small", 40, 15)) == ["big", "small"]
    assert texts(word("level", 0, 0), word("steep", 66, 0, turn=0.9)) == ["level", "steep"]


def test_what_cannot_be_read_is_in_no_line_with_what_can():
    lines = lines_of([word("one", 0, 0), word("###", 42, 0, legible=False), word("two", 84, 0)])
    assert sorted((line.text, line.legible) for line in lines) == [("###", False), ("one", True), ("two", True)]


def test_bent_words_stay_as_they_are():
    bent = SceneWord(np.array([(40, 0), (60, 5), (80, 15), (76, 30), (58, 22), (40, 18)], float), "bent", True)
    assert {len(line.polygon) for line in lines_of([word("one", 0, 0), bent])} == {4, 6}
    assert lines_of([]) == ()
