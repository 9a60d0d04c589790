"""Photos as context: encoded once, told with every crop, and never to a model that reads without."""

import threading
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from word_cards import Board, CardReader, TwoWords, card

from wordsight import Reader
from wordsight.decoding.context import SceneContext
from wordsight.errors import ConfigError

TEXTS = ["EXIT", "Cafe", "24h", "Main", "Street", "OPEN", "7"]


class Listener(CardReader):
    """Reads cards, and keeps what it is told of scenes. The token of a scene is the colour of its upper left pixel."""

    scene_encoder = "corner"

    def __init__(self) -> None:
        super().__init__(TEXTS)
        self.encoded: list[int] = []
        self.told: list[SceneContext | None] = []

    def encode_scenes(self, photos):
        self.encoded.append(len(photos))
        return np.array([photo[:1, 0] for photo in photos], np.float32)

    def read(self, images, scenes=None):
        self.told.append(scenes)
        return super().read(images)

    def heard(self) -> list[tuple[float, ...] | None]:
        """The token that each crop was told, None for the null scene."""
        out = []
        for scenes, count in zip(self.told, self.batches, strict=True):
            if scenes is None:
                out += [None] * count
                continue
            for number, present in zip(scenes.index, scenes.present, strict=True):
                out.append(tuple(scenes.tokens[number, 0].tolist()) if present else None)
        return out


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def board(listener: Listener) -> Board:
    board = Board(listener)
    for k, text in enumerate(TEXTS * 4):
        board.put(text, 20 + 150 * (k % 4), 10 + 65 * (k // 4), 90, 30)
    board.image[0, 0] = (10, 20, 30)
    return board


def _photo(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((60, 80, 3), colour, np.uint8)


def test_a_photo_with_many_words_is_encoded_once(listener: Listener, board: Board) -> None:
    photo = Reader.of(listener, board, batch_size=8).read(board.image)
    assert len(photo.words) == 28
    assert listener.encoded == [1]
    assert len(listener.told) > 3
    assert set(listener.heard()) == {(10, 20, 30)}
    assert all(len(scenes.tokens) == 1 for scenes in listener.told if scenes)


def test_words_hear_where_they_are(listener: Listener, board: Board) -> None:
    Reader.of(listener, board).read(board.image, boxes=[[(64, 48), (128, 48), (128, 96), (64, 96)]])
    (scenes,) = listener.told
    assert scenes is not None
    assert scenes.boxes is not None
    assert scenes.boxes[0] == pytest.approx([96 / 640, 72 / 480, 64 / 640, 48 / 480])


def test_parts_of_a_line_hear_where_they_are_themselves(listener: Listener) -> None:
    board = Board(listener)
    board.put("Main", 100, 100, 100, 30, box=False)
    board.put("Street", 225, 100, 125, 30, box=False)
    board.box(100, 100, 250, 30)
    Reader.of(listener, board, TwoWords()).read(board.image)
    centres = sorted(round(float(box[0]) * 640) for scenes in listener.told if scenes for box in scenes.boxes)
    assert centres == pytest.approx([150, 287], abs=8)


def test_without_context_nothing_is_encoded_or_told(listener: Listener, board: Board) -> None:
    photo = Reader.of(listener, board).read(board.image, context=False)
    assert len(photo.words) == 28
    assert listener.encoded == []
    assert set(listener.heard()) == {None}


def test_a_photo_without_words_is_not_encoded(listener: Listener) -> None:
    board = Board(listener)
    assert Reader.of(listener, board).read(board.image, context=True).words == ()
    assert listener.encoded == []


def test_another_scene_than_its_own(listener: Listener, board: Board) -> None:
    reader = Reader.of(listener, board)
    other = reader.scene(_photo((1, 2, 3)))
    reader.read(board.image, context=other)
    assert listener.encoded == [1]
    assert set(listener.heard()) == {(1, 2, 3)}


def test_crops_of_one_scene(listener: Listener, board: Board) -> None:
    reader = Reader.of(listener, board, batch_size=2)
    scene = reader.scene(_photo((9, 8, 7)))
    crops = [card(listener, text, 90, 30) for text in TEXTS[:5]]
    words = reader.read_crops(crops, scene)
    assert [word.text for word in words] == TEXTS[:5]
    assert listener.encoded == [1]
    assert listener.heard() == [(9, 8, 7)] * 5
    assert all(box == pytest.approx([0.5, 0.5, 1, 1]) for scenes in listener.told if scenes for box in scenes.boxes)
    assert reader.read_crops(crops) == words
    assert listener.heard()[5:] == [None] * 5


def test_crops_of_several_scenes_in_one_batch(listener: Listener, board: Board) -> None:
    reader = Reader.of(listener, board)
    one, two = reader.scene(_photo((1, 1, 1))), reader.scene(_photo((2, 2, 2)))
    corner = np.array([(0, 0), (40, 0), (40, 30), (0, 30)], np.float64)
    reader.read_crops([card(listener, "EXIT", 90, 30)] * 4, [one, None, two, one.at(corner)])
    assert listener.heard() == [(1, 1, 1), None, (2, 2, 2), (1, 1, 1)]
    (scenes,) = listener.told
    assert scenes is not None
    assert len(scenes.tokens) == 2
    assert scenes.boxes[3] == pytest.approx([0.25, 0.25, 0.5, 0.5])
    with pytest.raises(ConfigError, match="fewer scenes than crops"):
        reader.read_crops([card(listener, "EXIT", 90, 30)] * 3, [one])


def test_tall_crops_keep_their_scene_when_they_are_turned(listener: Listener, board: Board) -> None:
    reader = Reader.of(listener, board)
    tall = np.ascontiguousarray(np.rot90(card(listener, "OPEN", 90, 30)))
    (word,) = reader.read_crops([tall], reader.scene(_photo((5, 5, 5))))
    assert word.text == "OPEN"
    assert listener.heard() == [(5, 5, 5)] * 3


def test_a_scene_never_changes(listener: Listener, board: Board) -> None:
    scene = Reader.of(listener, board).scene(_photo((5, 5, 5)))
    assert scene.size == (80, 60)
    with pytest.raises(FrozenInstanceError):
        scene.encoder = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        scene.tokens[0] = 1


def test_what_lies_outside_the_scene_is_cut_off(listener: Listener, board: Board) -> None:
    scene = Reader.of(listener, board).scene(_photo((5, 5, 5)))
    outside = np.array([(-40, 30), (40, 30), (40, 90), (-40, 90)], np.float64)
    assert scene.at(outside).box == pytest.approx((0.25, 0.75, 0.5, 0.5))


def test_a_model_without_clipter_says_so_in_a_line(board: Board) -> None:
    deaf = CardReader(TEXTS)
    reader = Reader.of(deaf, Board(deaf))
    assert not reader.takes_scenes
    with pytest.raises(ConfigError, match="takes no scenes"):
        reader.scene(_photo((1, 1, 1)))
    with pytest.raises(ConfigError, match="takes no scenes"):
        reader.read(board.image, context=True)
    scene = Reader.of(board.reader, board).scene(_photo((1, 1, 1)))
    with pytest.raises(ConfigError, match="takes no scenes") as caught:
        reader.read_crops([card(deaf, "EXIT", 90, 30)], scene)
    assert "\n" not in str(caught.value)
    assert [word.text for word in reader.read_crops([card(deaf, "EXIT", 90, 30)])] == ["EXIT"]


def test_scenes_of_another_encoder_are_refused(listener: Listener, board: Board) -> None:
    scene = Reader.of(listener, board).scene(_photo((1, 1, 1)))
    other = Listener()
    other.scene_encoder = "middle"
    with pytest.raises(ConfigError, match="encoded for another model"):
        Reader.of(other, Board(other)).read_crops([card(other, "EXIT", 90, 30)], scene)


def test_threads_share_a_scene(listener: Listener, board: Board) -> None:
    reader = Reader.of(listener, board)
    scene = reader.scene(_photo((4, 4, 4)))
    read: list[tuple[str, str]] = []

    def work(text: str) -> None:
        for _ in range(10):
            read.extend((text, word.text) for word in reader.read_crops([card(listener, text, 90, 30)], scene))

    threads = [threading.Thread(target=work, args=(text,)) for text in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read) == sorted([(text, text) for text in TEXTS] * 10)
    assert listener.encoded == [1]
