"""Archives that `wordsight data pack --lmdb` writes."""

import json

import lmdb
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data import LmdbSource, open_source
from wordsight.data import lmdb as archives
from wordsight.errors import DataError


@pytest.fixture
def words(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (20, 60, 3), np.uint8)).save(folder / f"{i}.jpg")
    (folder / "labels.tsv").write_text("0.jpg\tCafé\n1.jpg\t€ 5\n2.jpg\tx\n", encoding="utf-8")
    return folder


def pack(*arguments):
    return CliRunner().invoke(app, ["data", "pack", *map(str, arguments), "--lmdb"], catch_exceptions=False)


def test_what_was_packed_is_what_is_read(words, tmp_path):
    done = pack(words, words, "--out", tmp_path / "archive")
    assert done.exit_code == 0, done.output
    assert "6 words, 0 left out" in done.output
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["data.mdb"]
    archive, folder = LmdbSource(tmp_path / "archive"), open_source(words)
    assert [archive.text(i) for i in range(6)] == ["Café", "€ 5", "x"] * 2
    assert all((archive[i].image == folder[i % 3].image).all() for i in range(6))
    assert archive._get("image-000000001") == (words / "0.jpg").read_bytes()
    again = pack(tmp_path / "archive", "--out", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert (LmdbSource(tmp_path / "again")[1].image == folder[1].image).all()


def test_archives_grow_as_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(archives, "_FIRST_SIZE", 1 << 16)
    samples = [(bytes([i]) * 50_000, f"word {i}") for i in range(20)]
    assert archives.write_lmdb(samples, tmp_path / "archive") == 20
    archive = LmdbSource(tmp_path / "archive")
    assert len(archive) == 20
    assert archive._get("image-000000020") == samples[19][0]


def test_broken_pictures_are_left_out_and_said(words, tmp_path):
    (words / "1.jpg").write_bytes(b"no picture")
    done = pack(words, "--out", tmp_path / "archive")
    assert done.exit_code == 1
    assert "2 words, 1 left out" in done.output
    assert LmdbSource(tmp_path / "archive").text(1) == "x"


def test_a_full_disk_is_one_line_that_names_the_archive(monkeypatch, words, tmp_path):
    def full(*_args, **_options):
        raise lmdb.DiskError(f"{tmp_path}/archive/.new-x: No space left on device")

    monkeypatch.setattr(archives, "_put", full)
    with pytest.raises(DataError, match=r"/archive: cannot be written \(No space left on device\): check free space"):
        archives.write_lmdb([(b"", "word")], tmp_path / "archive")
    assert list((tmp_path / "archive").iterdir()) == []


@pytest.mark.parametrize("tree", [False, True])
def test_only_pictures_of_the_data_sets_are_packed(words, tmp_path, tree):
    """Archives are given to others, and labels or scenes may name any file of this machine."""
    (private := tmp_path / "private").mkdir()
    (private / "passport.jpg").write_bytes((words / "0.jpg").read_bytes())
    (words / "link.jpg").symlink_to(private / "passport.jpg")
    with (words / "labels.tsv").open("a", encoding="utf-8") as file:
        file.write(f"../private/passport.jpg\tA\n{private}/passport.jpg\tB\nlink.jpg\tC\n")
    (scenes := tmp_path / "scenes").mkdir()
    word = {"polygon": [[0, 0], [50, 0], [50, 20], [0, 20]], "text": "D"}
    (scenes / "scenes.jsonl").write_text(json.dumps({"image": f"{private}/passport.jpg", "words": [word]}))
    if tree:
        for folder in (words, scenes):
            (tmp_path / "tree").mkdir(exist_ok=True)
            folder.rename(tmp_path / "tree" / folder.name)
        (tmp_path / "tree" / "words" / "labels.tsv").write_text(f"0.jpg\tx\n{private}/passport.jpg\tB\n")
    data = [tmp_path / "tree"] if tree else [words, scenes]
    done = pack(*data, "--out", tmp_path / "archive")
    assert done.exit_code == 1
    assert f"{1 if tree else 3} words, {2 if tree else 4} left out" in done.output
    assert done.output.count("lies outside") == (2 if tree else 4)
    allowed = pack(*data, "--images", private, "--out", tmp_path / "all")
    assert allowed.exit_code == 0, allowed.output
