"""The index files of archives."""

import logging
import os
import zipfile
from pathlib import Path

import lmdb
import numpy as np
import pytest

from wordsight.data import JoinedSource, LmdbSource, filter_labels, open_source
from wordsight.data.index import LabelIndex, label_index
from wordsight.text import Charset

WORDS = ["Word", "", "x" * 26, "!!!", "né e", "日本", "last"]
C36, C94 = Charset.preset("36"), Charset.preset("94")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "wordsight"


def archive(path: Path, words: list[str] = WORDS, *, damaged: bool = False) -> LmdbSource:
    """Labels alone; the first not UTF-8 and the fifth missing where they are damaged."""
    path.mkdir(parents=True, exist_ok=True)
    environment = lmdb.open(str(path), map_size=1 << 20)
    with environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(words)).encode())
        for i, word in enumerate(words, start=1):
            transaction.put(f"label-{i:09d}".encode(), word.encode())
        if damaged:
            transaction.put(b"label-000000001", b"\xff")
            transaction.delete(b"label-000000005")
    environment.close()
    return LmdbSource(path)


def written(folder: Path) -> list[Path]:
    return sorted(folder.glob("wordsight-index-*.npz"))


def no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> LabelIndex:
        raise AssertionError("the labels were read again")

    monkeypatch.setattr("wordsight.data.index._scan", fail)


def test_an_index_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = archive(tmp_path / "a")
    first = label_index(source, C36, 25)
    assert first.indices.tolist() == [0, 4, 6]
    assert first.dropped == {"empty": 3, "too long": 1, "unknown characters": 0}
    assert len(written(tmp_path / "a")) == 1
    assert not list((tmp_path / "a").glob(".*"))  # no half-written file is left
    no_scan(monkeypatch)
    again = label_index(LmdbSource(tmp_path / "a"), C36, 25)
    assert again.indices.tolist() == [0, 4, 6]
    assert again.dropped == first.dropped
    view, dropped = filter_labels(source, C36, 25)
    assert [view.text(i) for i in range(3)] == ["word", "nee", "last"]
    assert dropped == first.dropped


def test_other_rules_have_their_own_index(tmp_path: Path) -> None:
    source = archive(tmp_path / "a")
    assert label_index(source, C36, 25).indices.tolist() == [0, 4, 6]
    assert label_index(source, C94, 25).indices.tolist() == [0, 3, 4, 6]
    assert label_index(source, C36, 26).indices.tolist() == [0, 2, 4, 6]
    assert label_index(source, Charset.preset("94+space"), 25).dropped["unknown characters"] == 2
    assert len(written(tmp_path / "a")) == 4


def test_a_changed_archive_is_read_again(tmp_path: Path) -> None:
    label_index(archive(tmp_path / "a"), C36, 25)
    copy = tmp_path / "b"
    archive(copy, ["other", "words", "", "", "", "", ""])
    (file,) = written(tmp_path / "a")
    (copy / file.name).write_bytes(file.read_bytes())  # an index that came along with another archive
    os.utime(copy / "data.mdb", ns=(1, 1))
    assert label_index(LmdbSource(copy), C36, 25).indices.tolist() == [0, 1]
    os.utime(copy / "data.mdb", ns=(2, 2))
    assert label_index(LmdbSource(copy), C36, 25).indices.tolist() == [0, 1]
    assert len(written(copy)) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "other"])
def test_a_damaged_index_is_made_again(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = archive(tmp_path / "a", ["word", ""] * 2000)
    good = label_index(source, C36, 25)
    (file,) = written(tmp_path / "a")
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "other":
        np.savez(file, something=np.arange(3))
        content = bytearray(file.read_bytes())
    file.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"no zip"}.get(damage, bytes(content)))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(label_index(source, C36, 25).indices, good.indices)
    assert "is rebuilt" in caplog.text
    with zipfile.ZipFile(file) as repaired:
        assert repaired.testzip() is None
    no_scan(monkeypatch)
    assert np.array_equal(label_index(source, C36, 25).indices, good.indices)


def test_the_cache_folder_takes_what_cannot_be_written_beside(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = archive(tmp_path / "a")
    label_index(source, C36, 25)
    (file,) = written(tmp_path / "a")
    file.unlink()
    file.mkdir()  # nobody can put a file there, not even root
    label_index(source, C36, 25)
    assert len(list(cache.glob("labels-*.npz"))) == 1
    assert not list((tmp_path / "a").glob(".*"))
    with monkeypatch.context() as patch:
        no_scan(patch)
        assert label_index(source, C36, 25).indices.tolist() == [0, 4, 6]
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with caplog.at_level(logging.WARNING):
        assert label_index(source, C36, 25).indices.tolist() == [0, 4, 6]
    assert "cannot be saved anywhere" in caplog.text


def test_a_tree_is_indexed_archive_by_archive(tmp_path: Path) -> None:
    for name in ("x", "y/z"):
        archive(tmp_path / "tree" / name)
    source = open_source(tmp_path / "tree")
    assert isinstance(source, JoinedSource)
    view, dropped = filter_labels(source, C36, 25)
    assert [view.text(i) for i in range(len(view))] == ["word", "nee", "last"] * 2
    assert dropped == {"empty": 6, "too long": 2, "unknown characters": 0}
    assert len(written(tmp_path / "tree" / "x")) == len(written(tmp_path / "tree" / "y" / "z")) == 1


def test_unreadable_labels_are_counted(tmp_path: Path) -> None:
    index = label_index(archive(tmp_path / "a", damaged=True), C36, 25)
    assert index.indices.tolist() == [6]
    assert index.dropped["unreadable label"] == 2
