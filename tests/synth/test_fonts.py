"""The font index: what can be drawn is drawn, what cannot is left out."""

import random
import shutil
import string
from pathlib import Path

import pytest

from wordsight.synth import fonts
from wordsight.synth.faces import FontBook
from wordsight.synth.fonts import LATIN, PRINTABLE, font_index
from wordsight.synth.setting import set_line


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def some_files() -> list[Path]:
    """Up to 12 font files of this system, the plain ones first."""
    files = [p for folder in fonts.default_folders() for p in sorted(folder.rglob("*.ttf"))]
    files.sort(key=lambda p: (not any(n in p.name for n in ("DejaVu", "Liberation", "Roboto")), str(p)))
    if not files:
        pytest.skip("no fonts installed")
    return files[:12]


def test_every_face_draws_what_it_says(tmp_path: Path, some_files: list[Path]) -> None:
    for file in some_files:
        shutil.copy(file, tmp_path)
    faces = font_index([tmp_path])
    book = FontBook(faces)
    for number, face in enumerate(faces):
        assert set(face.characters) <= set(PRINTABLE + LATIN)
        for character in face.characters:
            line = set_line(book, number, character)
            assert line is not None, (face.path, character)
            assert line.mask.max() > (100 if character in PRINTABLE else 40), (face.path, character)


def test_without_any_font_pillows_own_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "default_folders", list)
    (face,) = font_index()
    assert face.path == ""
    assert set(string.ascii_letters + string.digits) <= set(face.characters)
    line = set_line(FontBook([face]), 0, "Exit 42")
    assert line is not None
    assert line.mask.shape[1] > 2 * line.mask.shape[0]


def test_broken_files_are_skipped(tmp_path: Path, some_files: list[Path]) -> None:
    good = some_files[0].read_bytes()
    (tmp_path / "good.ttf").write_bytes(good)
    (tmp_path / "empty.ttf").write_bytes(b"")
    (tmp_path / "text.otf").write_text("not a font")
    rng = random.Random(0)
    for k in range(20):
        (tmp_path / f"cut{k}.ttf").write_bytes(good[: rng.randrange(len(good) // 2)])
    faces = font_index([tmp_path])
    assert str(tmp_path / "good.ttf") in {face.path for face in faces} | {
        str(tmp_path / f"cut{k}.ttf") for k in range(20) for face in faces if face.path.endswith(f"cut{k}.ttf")
    }


def test_the_index_is_kept_and_renewed(tmp_path: Path, some_files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fonts"
    folder.mkdir()
    shutil.copy(some_files[0], folder)
    first = font_index([folder])
    with monkeypatch.context() as patched:
        patched.setattr(fonts, "_build", lambda paths: pytest.fail("looked at the fonts again"))
        assert font_index([folder]) == first
    if len(some_files) > 1:
        shutil.copy(some_files[1], folder)
        assert len(font_index([folder])) > len(first)


def test_a_damaged_cache_is_made_again(tmp_path: Path, some_files: list[Path]) -> None:
    folder = tmp_path / "fonts"
    folder.mkdir()
    shutil.copy(some_files[0], folder)
    first = font_index([folder])
    (kept,) = (tmp_path / "cache" / "wordsight").glob("fonts-*.json")
    kept.write_text('{"not": "a list of faces"')
    assert font_index([folder]) == first
