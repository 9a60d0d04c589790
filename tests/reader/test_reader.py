"""Reader: photos and crops to words, with cards instead of a model (see word_cards.py)."""

import io
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from word_cards import Board, CardReader, TwoWords, card

from wordsight import Photo, Reader, Word, WordsightError
from wordsight.decoding import Reading
from wordsight.errors import BoxError, ConfigError, ImageError
from wordsight.reading.lines import Attempt, one_word
from wordsight.reading.strips import Strip
from wordsight.results import Char

TEXTS = ["EXIT", "Cafe", "24h", "Main", "Street", "OPEN", "7"]


@pytest.fixture
def cards() -> CardReader:
    return CardReader(TEXTS)


@pytest.fixture
def board(cards: CardReader) -> Board:
    return Board(cards)


def _reader(board: Board, **options: float) -> Reader:
    return Reader.of(board.reader, board, **options)  # type: ignore[arg-type]


def _rectangle(x: float, y: float, w: float, h: float) -> list[tuple[float, float]]:
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def test_a_row_of_several_boxes_is_one_line_in_every_format(board: Board) -> None:
    board.put("OPEN", 40, 40)
    board.put("24h", 540, 44)
    board.put("Cafe", 40, 100)
    board.put("24h", 540, 104)
    photo = _reader(board).read(board.image)
    assert photo.text == "OPEN 24h\nCafe 24h"
    assert [len(line.words) for line in photo.lines] == [2, 2]
    outline = np.array(photo.lines[0].polygon)
    words = np.concatenate([word.polygon for word in photo.lines[0].words])
    assert len(outline) == 4
    assert np.abs(outline.min(axis=0) - words.min(axis=0)).max() < 4
    assert np.abs(outline.max(axis=0) - words.max(axis=0)).max() < 4
    assert Photo.from_json(photo.to_json()).text == photo.text
    rows = [row.split("\t")[1:4] for row in photo.to_tsv().splitlines()[1:]]
    assert rows == [["1", "1", "OPEN"], ["1", "2", "24h"], ["2", "1", "Cafe"], ["2", "2", "24h"]]
    assert photo.to_hocr().count('ocr_line"') == 2
    assert "baseline 0.007" in photo.to_hocr()  # from one word to the other


def test_words_come_in_reading_order_with_polygons_and_characters(board: Board) -> None:
    board.put("OPEN", 300, 40)
    board.put("24h", 60, 200)
    board.put("EXIT", 40, 46)
    board.put("Cafe", 400, 190)
    photo = _reader(board).read(board.image, name="wall")
    assert isinstance(photo, Photo)
    assert (photo.source, photo.width, photo.height) == ("wall", 640, 480)
    assert [word.text for word in photo.words] == ["EXIT", "OPEN", "24h", "Cafe"]
    assert photo.text == "EXIT\nOPEN\n24h\nCafe"
    word = photo.words[0]
    assert word.polygon == ((40, 46), (120, 46), (120, 76), (40, 76))
    assert word.confidence == pytest.approx(0.97**5)
    assert "".join(char.text for char in word.chars) == "EXIT"
    assert word.chars[0].alternatives[0][0] == "?"


def test_a_recognizer_of_words_is_shown_the_words_that_a_reader_of_lines_finds(board: Board) -> None:
    board.put("Main", 100, 100, 100, 30, box=False)
    board.put("Street", 225, 100, 125, 30, box=False)
    board.box(100, 100, 250, 30)
    photo = Reader.of(board.reader, board, TwoWords()).read(board.image)  # type: ignore[arg-type]
    assert [word.text for line in photo.lines for word in line.words] == ["Main", "Street"]
    assert len(photo.lines) == 1
    assert photo.lines[0].text == "Main Street"
    for word, (x0, x1) in zip(photo.words, [(100, 200), (225, 350)], strict=True):
        assert word.polygon[0][0] == pytest.approx(x0, abs=8)
        assert word.polygon[1][0] == pytest.approx(x1, abs=4)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_orientation_is_found_and_the_polygon_starts_at_the_texts_top_left(board: Board, turn: int) -> None:
    board.put("Street", 200, 150, 120, 36, turn=turn)
    (word,) = _reader(board).read(board.image).words
    assert word.text == "Street"
    w, h = (120, 36) if turn % 2 == 0 else (36, 120)
    corners = _rectangle(200, 150, w, h)
    # Turned counter-clockwise by one quarter, the text begins at the lower left; by two, at the lower right.
    assert word.polygon == tuple(corners[-turn:] + corners[:-turn])


def test_upside_down_is_only_tried_for_doubtful_lines(board: Board) -> None:
    for k in range(5):
        board.put("EXIT", 40, 40 + 60 * k)
    _reader(board).read(board.image)
    assert board.reader.batches == [5]
    board.put("OPEN", 400, 40, turn=2)
    board.reader.batches.clear()
    assert len(_reader(board).read(board.image).words) == 6
    assert board.reader.batches == [6, 1]


def test_crops_of_a_photo_are_batched_together(board: Board) -> None:
    for k in range(10):
        board.put("EXIT", 40, 10 + 45 * k)
    _reader(board, batch_size=4).read(board.image)
    assert board.reader.batches == [4, 4, 2]


def test_boxes_without_text_are_dropped_from_photos(board: Board) -> None:
    board.put("EXIT", 40, 40)
    board.box(300, 300, 100, 30)
    assert [word.text for word in _reader(board).read(board.image).words] == ["EXIT"]


def test_min_confidence_drops_words(board: Board) -> None:
    board.put("7", 40, 40, 40, 30)
    board.put("Street", 40, 140)
    confidences = {word.text: word.confidence for word in _reader(board).read(board.image).words}
    between = (confidences["7"] + confidences["Street"]) / 2
    photo = _reader(board, min_confidence=between).read(board.image)
    assert [word.text for word in photo.words] == ["7"]
    assert len(photo.lines) == 1


def test_given_boxes_are_read_in_their_order_and_not_split(board: Board) -> None:
    board.put("OPEN", 300, 300)
    board.put("EXIT", 40, 40)
    boxes = [_rectangle(300, 300, 80, 30), _rectangle(40, 40, 80, 30)]
    photo = _reader(board).read(board.image, boxes)
    assert [word.text for word in photo.words] == ["OPEN", "EXIT"]
    assert photo.words[0].polygon == tuple(boxes[0])
    assert photo.problems == ()


def test_bad_boxes_are_problems_of_their_own_only(board: Board) -> None:
    board.put("EXIT", 40, 40)
    nan = _rectangle(float("nan"), 0, 10, 10)
    far, flat = _rectangle(5000, 5000, 10, 10), _rectangle(10, 10, 50, 0)
    photo = _reader(board).read(board.image, [nan, _rectangle(40, 40, 80, 30), far, flat, "no box"])
    assert photo.text == "EXIT"
    assert [problem.split(":")[0] for problem in photo.problems] == ["box 1", "box 3", "box 4", "box 5"]
    assert all("\n" not in problem for problem in photo.problems)


def test_box_reaching_over_the_border_is_clipped(board: Board) -> None:
    board.put("EXIT", 0, 0)
    assert _reader(board).read(board.image, [_rectangle(-6, -4, 86, 34)]).text == "EXIT"


def test_curved_polygon_is_straightened(board: Board) -> None:
    board.put("Street", 100, 100, 240, 40)
    polygon = [(100, 100), (180, 100), (260, 100), (340, 100), (340, 140), (260, 140), (180, 140), (100, 140)]
    (word,) = _reader(board).read(board.image, [polygon]).words
    assert word.text == "Street"
    assert len(word.polygon) == 8


def test_crops_of_all_kinds_keep_their_order(cards: CardReader, tmp_path: Path) -> None:
    pixels = card(cards, "EXIT", 80, 30)
    path = tmp_path / "exit.png"
    Image.fromarray(pixels).save(path)
    buffer = io.BytesIO()
    Image.fromarray(card(cards, "Cafe", 80, 30)).save(buffer, "PNG")
    empty = np.full((30, 80, 3), 128, np.uint8)
    words = _reader(Board(cards)).read_crops([pixels, path, str(path), empty, buffer.getvalue(), Image.open(path)])
    assert [word.text for word in words] == ["EXIT", "EXIT", "EXIT", "", "Cafe", "EXIT"]
    assert words[3] == Word("", pytest.approx(0.95), ((0, 0), (80, 0), (80, 30), (0, 30)))


@pytest.mark.parametrize("text", ["NO 7", " NO 7", "NO 7 ", "  NO 7 ", " "])
def test_spaces_at_the_ends_of_a_crop_are_margins(text: str) -> None:
    strip = Strip(np.zeros((30, 80, 3), np.uint8), np.array(_rectangle(0, 0, 80, 30)))
    word = one_word(Attempt.of(strip, Reading(text, 0.9, tuple(Char(letter, 0.97) for letter in text))))
    assert word.text == "".join(char.text for char in word.chars) == text.strip()


def test_one_crop_is_not_taken_for_several(cards: CardReader) -> None:
    reader, pixels = _reader(Board(cards)), card(cards, "EXIT", 80, 30)
    for one in ("exit.png", pixels, Image.fromarray(pixels)):
        for reading in (reader.read_crops, lambda given: list(reader.iter_read(given))):
            with pytest.raises(ConfigError, match="is one picture where several are expected"):
                reading(one)  # type: ignore[operator]


def test_tall_crops_are_turned(cards: CardReader) -> None:
    pixels = card(cards, "Street", 120, 36)
    words = _reader(Board(cards)).read_crops([np.rot90(pixels, k) for k in (0, 1, 3)])
    assert [word.text for word in words] == ["Street"] * 3


def test_crops_are_read_once_unless_they_are_doubtful_or_tall(cards: CardReader) -> None:
    """Photos try doubtful lines upside down; crops do not, and of these none climbs or falls."""
    pixels = card(cards, "EXIT", 80, 30)
    cards.batches.clear()
    _reader(Board(cards)).read_crops([pixels, pixels])
    assert cards.batches == [2]
    _reader(Board(cards)).read_crops([pixels, np.rot90(pixels, 2)])
    assert cards.batches == [2, 2]
    _reader(Board(cards)).read_crops([pixels, np.rot90(pixels)])
    assert cards.batches == [2, 2, 4]


def test_bad_crop_is_an_error_in_its_place(cards: CardReader, tmp_path: Path) -> None:
    reader = _reader(Board(cards), batch_size=2)
    pixels = card(cards, "EXIT", 80, 30)
    crops = [pixels, tmp_path / "missing.png", pixels, b"no image", pixels]
    results = list(reader.iter_crops(crops))
    assert [type(result) for result in results] == [Word, ImageError, Word, ImageError, Word]
    assert "missing.png" in str(results[1])
    with pytest.raises(ImageError, match=r"missing\.png"):
        reader.read_crops(crops)
    assert reader.read_crops([]) == []


def test_huge_crop_is_reduced_before_it_waits_for_its_batch(cards: CardReader) -> None:
    (word,) = _reader(Board(cards)).read_crops([card(cards, "EXIT", 5000, 1500)])
    assert word.text == "EXIT"
    assert word.polygon[2] == (5000, 1500)


def test_iter_read_keeps_order_yields_errors_and_takes_one_at_a_time(board: Board, tmp_path: Path) -> None:
    board.put("EXIT", 40, 40)
    path = tmp_path / "board.png"
    Image.fromarray(board.image).save(path)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    taken = []

    def sources() -> Iterator[Path]:
        for name in ("board.png", "broken.jpg", "absent.png", "board.png"):
            taken.append(name)
            yield tmp_path / name

    results = _reader(board).iter_read(sources())
    assert taken == []
    assert isinstance(next(results), Photo)
    assert taken == ["board.png"]
    rest = list(results)
    assert [isinstance(result, WordsightError) for result in rest] == [True, True, False]
    assert "broken.jpg" in str(rest[0])
    assert "absent.png" in str(rest[1])
    assert rest[2].source == str(path)


def test_sticky_options_a_reader_does_not_change(board: Board) -> None:
    """RapidOCR's engine keeps the options of a call for the next one; here boxes count for their call only."""
    board.put("EXIT", 40, 40)
    board.put("OPEN", 300, 300)
    reader = _reader(board)
    before = reader.read(board.image, name="a")
    assert reader.read(board.image, [_rectangle(300, 300, 80, 30)]).text == "OPEN"
    reader.read_crops([board.image])
    assert reader.read(board.image, name="a") == before
    with pytest.raises(AttributeError, match="is immutable"):
        reader.batch_size = 1
    with pytest.raises(AttributeError, match="is immutable"):
        reader._batch_size = 1


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"min_confidence": 1.5}, {"min_confidence": float("nan")}, {"max_pixels": 0}]
)
def test_options_out_of_range_are_refused(board: Board, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        _reader(board, **options)


def test_pixel_limit_is_the_readers(board: Board) -> None:
    with pytest.raises(ImageError, match="640 x 480"):
        _reader(board, max_pixels=1000).read(board.image)


def test_detector_box_that_cannot_be_cut_out_is_left_out(board: Board) -> None:
    board.put("EXIT", 40, 40)
    board.box(5000, 10, 10, 10)
    assert _reader(board).read(board.image).text == "EXIT"


def test_threads_share_a_reader(board: Board) -> None:
    for k, text in enumerate(TEXTS):
        board.put(text, 40 + 5 * k, 20 + 60 * k, turn=2 * (k % 2))
    reader = _reader(board, batch_size=3)
    expected = reader.read(board.image)
    results: list[Photo] = []

    def work() -> None:
        results.extend(reader.read(board.image) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 40


def test_boxes_of_the_whole_photo_are_held_a_batch_at_a_time(toy_pack: Path) -> None:
    """Three hundred of them took 2 GB."""
    photo = np.random.default_rng(0).integers(0, 255, (1200, 1600, 3), dtype=np.uint8)
    boxes = [_rectangle(0, 0, 1600, 1200)] * 40
    words = [line.text for line in Reader(toy_pack, tta=False).read(photo, boxes[:3]).lines]
    reader = Reader(toy_pack, batch_size=2, tta=False)
    tracemalloc.start()
    try:
        read = reader.read(photo, boxes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6  # at full size each is 5.8 MB
    assert [line.text for line in read.lines] == words[:1] * 40


def test_more_boxes_than_a_photo_can_have_are_one_error(board: Board) -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    with pytest.raises(BoxError, match=r"^signs: there are more than 10,000 boxes") as caught:
        Reader.of(board.reader).read(photo, [_rectangle(0, 0, 20, 10)] * 10_001, name="signs")
    assert "\n" not in str(caught.value)
