"""Drawings: every word is marked, every text can be read, nothing is covered that need not be."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight import Line, Photo, Word
from wordsight.errors import ImageError
from wordsight.export.drawing import COLOURS, labels
from wordsight.results import bounds


def box(x: float, y: float, w: float, h: float) -> tuple[tuple[float, float], ...]:
    return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))


def photo_of(*words: tuple[str, float, float, float, float], confidence: float = 0.95) -> Photo:
    """A picture of 320 x 240 pixels with words of text, x, y, width and height."""
    return Photo("x", 320, 240, tuple(Line((Word(t, confidence, box(*place)),), box(*place)) for t, *place in words))


def overlapping(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.fixture
def photo() -> Photo:
    return photo_of(("Coffee", 10, 20, 74, 30), ("shop", 100, 20, 60, 30), ("=SUM(1)", 12, 80, 74, 30))


def test_drawing_marks_the_words_and_leaves_the_rest(photo: Photo, tmp_path: Path) -> None:
    for shade in (0, 128, 255):
        image = np.full((240, 320, 3), shade, np.uint8)
        picture = photo.draw(image)
        assert picture.size == (320, 240)
        changed = (np.asarray(picture) != image).any(axis=2)
        assert changed[20, 12:80].all()  # the upper side of the first word
        assert not changed[150:, 250:].any()
        assert 0.02 < changed.mean() < 0.5
        assert (image == shade).all()
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    assert (np.asarray(photo.draw(path)) == np.asarray(photo.draw(image))).all()
    with pytest.raises(ImageError, match="320 x 240"):
        photo.draw(np.zeros((10, 10, 3), np.uint8))


def test_without_a_picture_the_file_of_the_source_is_drawn_on(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    Image.new("RGB", (320, 240), "white").save(path)
    photo = Photo(str(path), 320, 240, photo_of(("Coffee", 10, 20, 74, 30)).lines)
    assert photo.draw() == photo.draw(path)
    with pytest.raises(ImageError, match="x is not available to draw on: pass the picture"):
        photo_of(("Coffee", 10, 20, 74, 30)).draw()


def test_the_page_that_was_read_is_drawn_on(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    first, second = Image.new("RGB", (320, 240), "white"), Image.new("RGB", (320, 240), "blue")
    first.save(path, save_all=True, append_images=[second])
    photo = Photo(str(path), 320, 240, (), page=2)
    assert photo.draw().getpixel((5, 5)) == (0, 0, 255)
    assert photo.draw(second) == photo.draw()


def test_labels_stay_inside_and_cover_neither_words_nor_each_other() -> None:
    photo = photo_of(*(("Word", x, y, 40, 12) for x in (0, 150, 270) for y in (0, 30, 205)))
    placed = labels(photo)
    assert [label.word for label in placed] == list(photo.words)
    for k, label in enumerate(placed):
        left, top, right, bottom = label.box
        assert (left >= 0, top >= 0, right < 320, bottom < 240) == (True,) * 4
        assert not any(overlapping(label.box, other.box) for other in placed[:k])
        assert not any(overlapping(label.box, bounds(word.polygon)) for word in photo.words)
        assert (label.number, label.away) == (None, False)


def test_where_there_is_no_room_labels_go_further_away_with_a_line_to_their_word() -> None:
    # Three rows with gaps between the words of the lower ones, so that a line from the middle leads out.
    above = [("Word", x, 80, 60, 14) for x in (40, 104, 168)]
    block = photo_of(*above, *(("Word", x, y, 50, 14) for y in (96, 112) for x in (40, 109, 178)))
    placed = labels(block)
    assert all(label.number is None for label in placed)
    away = [label for label in placed if label.away]
    assert [label.word for label in away] == [block.words[4]]  # the one in the middle
    (left, top, right, bottom), word = away[0].box, block.words[4].box
    drawn = (np.asarray(block.draw(np.full((240, 320, 3), 255, np.uint8))) != 255).any(axis=2)
    assert drawn[round((top + bottom) / 2), round(left) + 4 : round(right) - 4].all()
    between = np.argwhere(drawn[round(word[3]) + 3 : round(top) - 2] if top > word[3] else drawn[:0])
    assert len(between)


def test_in_a_crowd_texts_become_numbers_that_are_listed_below() -> None:
    crowd = photo_of(*((f"Word{x}{y}", x, y, 38, 10) for x in range(0, 320, 40) for y in range(0, 240, 12)))
    numbered = [label for label in labels(crowd) if label.number is not None]
    assert len(numbered) > 100
    picture = np.asarray(crowd.draw(np.full((240, 320, 3), 255, np.uint8)))
    assert picture.shape[1] == 320
    assert picture.shape[0] > 300
    assert (picture[240:].max(axis=2) > 100).any()


@pytest.mark.parametrize(("confidence", "name"), [(0.95, "sure"), (0.7, "doubtful"), (0.2, "guess")])
def test_confidence_is_a_colour_and_below_90_a_number(confidence: float, name: str) -> None:
    photo = photo_of(("Coffee", 60, 60, 74, 30), confidence=confidence)
    picture = np.asarray(photo.draw(np.full((240, 320, 3), 255, np.uint8)))
    colour = next(colour for each, _, colour in COLOURS if each == name)
    assert picture[60, 90].tolist() == list(colour)
    assert labels(photo)[0].text == ("Coffee" if name == "sure" else f"Coffee ({100 * confidence:.0f} %)")
    legend = [(picture == other).all(axis=2)[150:].any() for _, _, other in COLOURS]
    assert legend == [True] * 3


def test_side_by_side_has_the_picture_at_the_left_and_the_texts_at_the_right(photo: Photo) -> None:
    image = np.full((240, 320, 3), 255, np.uint8)
    both = np.asarray(photo.draw(image, beside=True))
    assert both.shape == (240, 640, 3)
    ink = (both < 200).any(axis=2)
    assert ink[25:45, 335:390].any()  # the first text, in its place
    assert not ink[25:45, 15:80].any()  # nothing is written over the picture
    assert not ink[60:75, 320:].any()


def test_texts_lie_along_their_words_side_by_side() -> None:
    downwards = ((200.0, 20.0), (200.0, 200.0), (170.0, 200.0), (170.0, 20.0))
    photo = Photo("x", 320, 240, (Line((Word("downwards", 0.9, downwards),), downwards),))
    both = np.asarray(photo.draw(np.full((240, 320, 3), 255, np.uint8), beside=True))
    rows, columns = np.nonzero((both[:, 320:] < 200).any(axis=2))
    assert rows.max() - rows.min() > 100
    assert columns.min() >= 165
    assert columns.max() <= 205


def test_outlines_of_many_points_and_words_without_one() -> None:
    bent = tuple((float(x), float(100 - 40 * np.sin(x / 50))) for x in range(20, 180, 20))
    bent += tuple((x, y + 30) for x, y in bent[::-1])
    photo = Photo("x", 320, 240, (Line((Word("bent text", 0.9, bent), Word("card", 0.9, ())), bent),))
    for beside in (False, True):
        assert photo.draw(np.full((240, 320, 3), 255, np.uint8), beside=beside).height == 240


def test_numbers_stand_beside_their_words_where_there_is_room() -> None:
    """No text fits into this strip, but a number does, to the right of its word."""
    photo = Photo("x", 110, 34, (Line((Word("A long hotel", 0.95, box(8, 8, 70, 16)),), box(8, 8, 70, 16)),))
    (label,) = labels(photo)
    assert label.number == 1
    assert not overlapping(label.box, (8, 8, 78, 24))


def test_numbers_of_a_crowd_cover_no_more_than_they_must() -> None:
    words = [("Word", x, y, 36, 14) for y in range(0, 224, 16) for x in range(0, 280, 40)]
    placed = labels(photo_of(*words))
    numbered = [label for label in placed if label.number is not None]
    assert numbered
    for label in numbered:
        left, top, right, bottom = label.box
        assert left >= 0
        assert top >= 0
        assert right < 320
        assert bottom < 240
    apart = sum(not overlapping(a.box, b.box) for k, a in enumerate(numbered) for b in numbered[:k])
    assert apart >= 0.95 * len(numbered) * (len(numbered) - 1) / 2


def test_outlines_of_small_words_are_thin() -> None:
    """A line of the picture's usual width would hide letters of ten pixels; large ones keep it."""
    white = np.full((1000, 2000, 3), 255, np.uint8)

    def covered(high: int) -> int:
        """Rows inside the box that the outline covers."""
        word = Word("I", 0.95, box(100, 500, 300, high))
        drawn = np.asarray(Photo("x", 2000, 1000, (Line((word,), word.polygon),)).draw(white))
        return int((drawn[500 : 500 + high, 200] != 255).any(axis=1).sum())

    assert covered(10) <= 4
    assert covered(120) > covered(10)
