"""What photos, lines and words offer to the hand: short names, measures, cuttings, tables."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from wordsight import Char, Line, Photo, Word
from wordsight.errors import ConfigError, ImageError


def box(x: float, y: float, w: float, h: float) -> tuple[tuple[float, float], ...]:
    return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))


@pytest.fixture
def photo() -> Photo:
    chars = (Char("N", 0.99, (("H", 0.01),)), Char("A", 0.98, (("4", 0.01),)))
    first = Line(
        (Word("NA", 0.97, box(10, 20, 60, 30), chars), Word("Shop", 0.9, box(80, 20, 60, 30))), box(10, 20, 130, 30)
    )
    second = Line(
        (Word("null", 0.8, ((12, 75), (90, 85), (88, 115), (10, 105))),), ((12, 75), (90, 85), (88, 115), (10, 105))
    )
    unsure = Word("l1I", 0.12, box(200, 200, 30, 20), rejected=True)
    return Photo("street.jpg", 320, 240, (first, second), rejected=(unsure,))


def test_reprs_take_one_short_line(photo: Photo) -> None:
    assert repr(photo) == "<Photo 'street.jpg' 320x240: 3 words in 2 lines, 1 rejected, 'NA Shop null'>"
    assert repr(photo.lines[0]) == "<Line 'NA Shop' 0.87 at 10, 20, 140, 50>"
    assert repr(photo.words[0]) == "<Word 'NA' 0.97 at 10, 20, 70, 50>"
    assert repr(photo.rejected[0]) == "<Word 'l1I' 0.12 at 200, 200, 230, 220 rejected>"
    assert repr(Word("x", 1, ())) == "<Word 'x' 1.00>"
    assert (
        repr(Photo("s.tif", 9, 9, (), ("box 3: empty",), page=2))
        == "<Photo 's.tif' page 2 9x9: 0 words in 0 lines, 1 problem, ''>"
    )
    long = Photo(
        "x", 9, 9, tuple(Line((Word("word\nword" * 99, 1, box(0, 0, 9, 9)),), box(0, 0, 9, 9)) for _ in range(99))
    )
    assert len(repr(long)) < 120
    assert "\n" not in repr(long)


def test_length_and_iteration_are_those_of_the_words(photo: Photo) -> None:
    assert len(photo) == 3
    assert list(photo) == list(photo.words)
    assert [word.text for word in photo] == ["NA", "Shop", "null"]
    assert len(Photo("x", 9, 9, ())) == 0
    assert Photo("x", 9, 9, ())  # a photo all the same


def test_all_words_has_those_that_were_rejected(photo: Photo) -> None:
    assert [word.text for word in photo.all_words] == ["NA", "Shop", "null", "l1I"]
    assert [word.rejected for word in photo.all_words] == [False, False, False, True]
    assert "l1I" not in photo.text
    again = Photo.from_json(photo.to_json())
    assert again.all_words == photo.all_words
    assert pickle.loads(pickle.dumps(photo)) == photo


def test_box_is_the_rectangle_around(photo: Photo) -> None:
    assert photo.words[0].box == (10, 20, 70, 50)
    assert photo.lines[1].box == (10, 75, 90, 115)


def test_a_word_can_be_cut_out(photo: Photo, tmp_path: Path) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[20:50, 10:70] = (200, 10, 30)
    crop = photo.words[0].crop(image)
    assert crop.size == (60, 30)
    assert (np.asarray(crop) == (200, 10, 30)).all()
    path = tmp_path / "scan.tif"
    pages = [Image.fromarray(image)] * 2
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="has 2 pages where one picture is expected"):
        photo.words[0].crop(path)


def test_without_characters_json_is_small_and_still_read(photo: Photo) -> None:
    small = photo.to_dict(chars=False)
    assert "chars" not in json.dumps(small)
    assert json.loads(photo.to_json(chars=False)) == small
    again = Photo.from_dict(small)
    assert again.text == photo.text
    assert again.words[0].chars == ()
    assert again.words[0].polygon == photo.words[0].polygon


def test_page_and_notes_are_kept() -> None:
    photo = Photo("s.pdf", 9, 9, (), page=2, notes=("page 2 has a text layer",))
    assert list(photo.to_dict())[:3] == ["schema", "source", "page"]
    assert Photo.from_json(photo.to_json()) == photo


def test_to_df_keeps_texts_and_types(photo: Photo) -> None:
    pandas = pytest.importorskip("pandas")
    frame = photo.to_df()
    assert frame["text"].tolist() == ["NA", "Shop", "null"]
    assert not frame["text"].isna().any()
    assert frame["left"].tolist() == [10, 80, 10]
    assert frame["confidence"].dtype == "float64"
    assert frame["page"].isna().all()
    empty = Photo("x", 9, 9, (), page=1).to_df()
    assert (len(empty), list(empty.columns)) == (0, list(frame.columns))
    both = pandas.concat([frame, empty])
    assert (both.dtypes == frame.dtypes).all()


def test_without_pandas_the_cure_is_named(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        photo.to_df()


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Puts an `xdg-open` of these shell lines in the place of the system's; gives the file where it notes its file."""

    def put(script: str) -> Path:
        (tmp_path / "xdg-open").write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n{script}\n')
        (tmp_path / "xdg-open").chmod(0o755)
        return tmp_path / "opened"

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    return put


def test_show_opens_the_drawing(photo: Photo, viewer: Callable[[str], Path]) -> None:
    opened = viewer("exit 0")
    image = np.zeros((240, 320, 3), np.uint8)
    photo.show(image)
    photo.show(image, beside=True)
    assert [Image.open(path).size for path in opened.read_text().split()] == [(320, 240), (640, 240)]


def test_without_a_viewer_or_a_screen_show_names_another_way(
    photo: Photo, viewer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    viewer("echo 'xdg-open: no method available' >&2; exit 3")
    with pytest.raises(ConfigError, match=r"no image viewer was found: .*photo\.save\('drawn\.png'\)"):
        photo.show(image)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="no image viewer was found"):
        photo.show(image)
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ConfigError, match="there is no screen"):
        photo.show(image)
    assert capfd.readouterr() == ("", "")


def test_in_a_notebook_the_drawing_is_shown_there(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("IPython")
    import IPython

    shown: list[Image.Image] = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", shown.append)
    photo.show(np.zeros((240, 320, 3), np.uint8))
    assert [picture.size for picture in shown] == [(320, 240)]
