import os
import stat
from pathlib import Path

import pytest

from wordsight.files import filling, replacing, write_text


def half(path, text):
    """Begins to write, and fails."""
    path.write_text(text)
    raise RuntimeError


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "report.json"
    file.write_text("old")
    with pytest.raises(RuntimeError), replacing(file) as new:
        half(new, "half of the n")
    assert file.read_text() == "old"
    write_text(file, "new\n")
    assert file.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_keeps_permissions_and_links(tmp_path):
    file, link = tmp_path / "file.txt", tmp_path / "link.txt"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    write_text(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "through")
    assert os.read(end, 100) == b"through"
    os.close(end)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def write(folder, *names):
    for name in names:
        (folder / name).write_text("new")


def full(path):
    """As a write to a full disk fails: without a name."""
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_with_the_file_that_was_to_be(tmp_path):
    file = tmp_path / "labels.tsv"
    with pytest.raises(OSError, match="No space left") as error, replacing(file):
        full(file)
    assert error.value.filename == str(file)
    with pytest.raises(OSError, match="No space left") as error, filling(tmp_path / "set") as folder:
        full(folder)
    assert error.value.filename == str(tmp_path / "set")
    with pytest.raises(FileNotFoundError) as missing, filling(tmp_path / "set") as folder:
        (folder / "images" / "0.jpg").write_bytes(b"")
    assert missing.value.filename == str(tmp_path / "set" / "images" / "0.jpg")


def test_errors_of_other_files_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError) as missing, filling(tmp_path / "set"):
        Path(tmp_path / "font.ttf").read_bytes()
    assert missing.value.filename == str(tmp_path / "font.ttf")


def test_a_set_of_files_moves_over_at_the_end(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("labels.tsv", "images/0.jpg", "images/9.jpg", "images/mine.txt"):
        (tmp_path / name).write_text("old")
    before = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(RuntimeError), filling(tmp_path, last="labels.tsv") as new:
        half(new / "0.jpg", "new")
    assert before == {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    with filling(tmp_path, last="labels.tsv") as new:
        (new / "images").mkdir()
        (new / "images/0.jpg").write_text("new")
        (new / "labels.tsv").write_text("new")
    there = {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert there == {"labels.tsv": "new", "images/0.jpg": "new", "images/9.jpg": "old", "images/mine.txt": "old"}


def test_who_dies_while_files_move_leaves_no_labels(tmp_path, monkeypatch):
    """Not new pictures under old labels."""
    (tmp_path / "labels.tsv").write_text("old")
    move, moved = Path.replace, []

    def replace(self, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(Path(target).name)
        return move(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt), filling(tmp_path, last="labels.tsv") as new:
        write(new, "labels.tsv", "a.jpg", "z.jpg")
    assert moved == ["a.jpg"]
    assert not (tmp_path / "labels.tsv").exists()
