"""Files of several pictures, what is not sure enough, and what people are used to from elsewhere."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from word_cards import Board, CardReader

import wordsight
from wordsight import Photo, Reader
from wordsight.errors import ConfigError, ImageError

TEXTS = ["EXIT", "Cafe", "24h"]


@pytest.fixture
def boards() -> list[Board]:
    """A page for each text, all read by one reader."""
    made = []
    for text in TEXTS:
        board = Board(CardReader(TEXTS))
        board.put(text, 40, 40)
        made.append(board)
    return made


@pytest.fixture
def reader(boards: list[Board]) -> Reader:
    class Detector:
        def detect(self, image: np.ndarray) -> object:
            return boards[0].detect(image)

    return Reader.of(boards[0].reader, Detector())


@pytest.fixture
def scan(boards: list[Board], tmp_path: Path) -> Path:
    pages = [Image.fromarray(board.image) for board in boards]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


def test_every_page_is_a_photo(reader: Reader, scan: Path) -> None:
    photos = reader.read_pages(scan)
    assert isinstance(photos, Iterator)
    assert [(photo.page, photo.text, photo.source, photo.problems) for photo in photos] == [
        (1, "EXIT", str(scan), ()),
        (2, "Cafe", str(scan), ()),
        (3, "24h", str(scan), ()),
    ]
    stream = io.BytesIO(scan.read_bytes())
    assert [(photo.page, photo.source) for photo in reader.read_pages(stream, "3,1-2", name="up.tif")] == [
        (3, "up.tif"),
        (1, "up.tif"),
        (2, "up.tif"),
    ]
    assert [photo.text for photo in reader.read_pages(scan, [2])] == ["Cafe"]


def test_read_takes_one_page_and_says_that_there_are_others(reader: Reader, scan: Path) -> None:
    photo = reader.read(scan)
    assert (photo.text, photo.page) == ("EXIT", 1)
    assert photo.problems == ("pages 2 to 3 of 3 left out: read_pages reads them",)
    second = reader.read(scan, page=2)
    assert (second.text, second.page, second.problems) == ("Cafe", 2, ())
    with pytest.raises(ImageError, match="has 3 pages, there is no page 4"):
        reader.read(scan, page=4)
    (through_iter,) = reader.iter_read([scan])
    assert through_iter == photo


def test_a_crop_is_one_picture(reader: Reader, scan: Path) -> None:
    with pytest.raises(ImageError, match="has 3 pages where one picture is expected"):
        reader.read_crops([scan])


def test_of_one_picture_there_is_no_page(reader: Reader, boards: list[Board]) -> None:
    (photo,) = reader.read_pages(boards[0].image)
    assert (photo.page, photo.text, photo.problems) == (None, "EXIT", ())


def test_a_damaged_page_is_a_problem_among_others_and_an_error_alone(reader: Reader, boards: list[Board]) -> None:
    board = boards[0]
    shape = board.image.shape
    noise = [Image.fromarray(np.random.default_rng(k).integers(0, 256, shape, dtype=np.uint8)) for k in range(3)]
    stream = io.BytesIO()
    noise[0].save(stream, "TIFF", save_all=True, append_images=noise[1:])
    photos = list(reader.read_pages(stream.getvalue()[: len(stream.getvalue()) // 2], name="scan.tif"))
    assert photos[0].problems == ()
    assert "scan.tif, page" in photos[-1].problems[0]
    assert (photos[-1].words, photos[-1].width) == ((), 0)
    alone = io.BytesIO()
    noise[0].save(alone, "PNG")
    with pytest.raises(ImageError, match="truncated"):
        list(reader.read_pages(alone.getvalue()[:2000]))


def test_pages_that_name_none(reader: Reader, scan: Path) -> None:
    with pytest.raises(ConfigError, match="names no pages"):
        list(reader.read_pages(scan, "2-1"))
    with pytest.raises(ConfigError, match="dpi"):
        list(reader.read_pages(scan, dpi=0))


def test_words_that_are_not_sure_enough_are_kept_apart(boards: list[Board]) -> None:
    strict = Reader.of(boards[0].reader, boards[0], min_confidence=1.0)
    for photo in (
        strict.read(boards[0].image),
        strict.read(boards[0].image, [[[40, 40], [120, 40], [120, 70], [40, 70]]]),
    ):
        assert photo.words == ()
        assert [(word.text, word.rejected) for word in photo.all_words] == [("EXIT", True)]
        assert Photo.from_json(photo.to_json()).all_words[0].rejected
    lax = Reader.of(boards[0].reader, boards[0], min_confidence=0.0).read(boards[0].image)
    assert [(word.text, word.rejected) for word in lax.all_words] == [("EXIT", False)]


@pytest.mark.parametrize(
    ("args", "options", "cure"),
    [
        ((["en"],), {}, "has no language option"),
        ((["ch_sim", "en"], False), {}, "has no language option"),
        ((), {"lang": "en"}, "has no language option"),
        ((), {"lang_list": ["en"]}, "has no language option"),
        ((), {"use_gpu": False}, 'device="cuda"'),
        (("latin", True), {}, 'device="cuda"'),
        ((), {"use_angle_cls": True, "lang": "en"}, "rotated text is always read"),
        ((), {"det_model_dir": "x"}, "models are packs"),
        ((), {"thorough": True}, "tta=True"),
    ],
)
def test_habits_from_elsewhere_get_a_line(args: tuple[object, ...], options: dict[str, object], cure: str) -> None:
    with pytest.raises(ConfigError, match=cure) as caught:
        Reader(*args, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_other_mistakes_stay_what_they_are(reader: Reader) -> None:
    with pytest.raises(TypeError, match="colour"):
        Reader(colour="red")  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match=r"readtext.*reader\.read\(photo\)"):
        reader.readtext("x.jpg")  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"'Reader' object has no attribute 'colour'$"):
        reader.colour  # type: ignore[attr-defined]  # noqa: B018
    assert Reader.__init__.__doc__ == getattr(Reader.__init__, "__wrapped__").__doc__  # noqa: B009


def test_all_public_names_are_there() -> None:
    for name in wordsight.__all__:
        assert getattr(wordsight, name) is not None, name
    assert issubclass(wordsight.ImageError, wordsight.WordsightError)
