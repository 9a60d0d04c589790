"""`wordsight bulk`: what it passes on, what it says, how it ends. The jobs themselves: tests/bulk."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from wordsight.bulk import Progress, ReaderSpec
from wordsight.cli.main import app


def run(*args: object):
    return CliRunner().invoke(app, ["bulk", *map(str, args)])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[object, ...], dict[str, object]]]:
    """How jobs were asked for. They end as the last progress says that `watch` is told of."""
    made: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def pretend(*args: object, watch: Callable[[Progress], None], **options: object) -> Progress:
        made.append((args, options))
        for done in (1, 2):
            watch(Progress(2, done, 0, done, float(done)))
        return Progress(2, 2, 0, 2, 2.0)

    monkeypatch.setattr("wordsight.bulk.run", pretend)
    return made


def test_options_reach_the_job(calls: list[object], tmp_path: Path) -> None:
    result = run("photos", "--out", "words")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "wordsight: words: 2 read, 0 failed\n"
    defaults = {"engine": "local", "workers": None, "shard_size": 1000, "shard": (0, 1), "retry_failed": False}
    assert calls[-1] == (("photos", "words", ReaderSpec()), defaults)

    (tmp_path / "words.txt").write_text("one\ntwo\n")
    flags = "--engine ray --workers 3 --shard-size 7 --shard 2/5 --retry-failed"
    reading = f"--model small --min-confidence 0.5 --mode full --max-pixels 99 --dictionary {tmp_path / 'words.txt'}"
    assert run("s3://b/*.tar", "--out", "w", *flags.split(), *reading.split()).exit_code == 0
    options = {"engine": "ray", "workers": 3, "shard_size": 7, "shard": (2, 5), "retry_failed": True}
    spec = ReaderSpec("small", min_confidence=0.5, mode="full", max_pixels=99, dictionary=("one", "two"))
    assert calls[-1] == (("s3://b/*.tar", "w", spec), options)
    run("photos", "--out", "w", "--lexicon", tmp_path / "words.txt", "--no-dictionary")
    assert calls[-1][0][2] == ReaderSpec(lexicon=("one", "two"), dictionary=None)  # type: ignore[index]


@pytest.mark.parametrize("args", [["--shard", "1"], ["--shard", "a/b"], ["--shard", "-1/3"], ["--shard", "3/3"]])
def test_senseless_shards_are_usage_errors(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    result = run(tmp_path, "--out", tmp_path / "words", *args)
    assert result.exit_code == 2
    assert "shard" in result.stderr
    assert not (tmp_path / "words").exists()


def test_prometheus_is_told_how_it_goes(calls: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run("photos", "--out", "words", "--metrics-port", port).exit_code == 0
    told = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    for line in (
        'wordsight_bulk_pictures{state="total"} 2.0',
        'wordsight_bulk_pictures{state="done"} 2.0',
        'wordsight_bulk_pictures{state="failed"} 0.0',
        "wordsight_bulk_pictures_per_second 1.0",
    ):
        assert line in told


def test_nothing_is_said_of_a_rate_before_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: object, watch: Callable[[Progress], None], **__: object) -> Progress:
        watch(Progress(2, 0, 0))
        return Progress(2, 2, 0, 2, 2.0)

    monkeypatch.setattr("wordsight.cli.bulk._EVERY", 0)
    monkeypatch.setattr("wordsight.bulk.run", begin)
    assert run("photos", "--out", "words").stderr == "wordsight: words: 2 read, 0 failed\n"


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "wordsight.cli.main", "bulk", str(tmp_path), "--out", str(tmp_path / "o")]
        done = subprocess.run([*command, "--metrics-port", port], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port {port} cannot be opened" in done.stderr


def test_lines_of_progress_where_there_is_no_terminal(calls: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wordsight.cli.bulk._EVERY", 0)
    lines = run("photos", "--out", "words").stderr.splitlines()
    assert lines[0] == "wordsight: 1 of 2 pictures, 0 failed, 1.0 a second, 0:00:01 left"


def test_it_reads_and_says_what_it_did_not(toy_pack: Path, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "words"
    photos.mkdir()
    Image.new("RGB", (60, 40), "white").save(photos / "white.png")
    command = [sys.executable, "-m", "wordsight.cli.main", "bulk", str(photos), "--out", str(out), "--model"]
    environment = {**os.environ, "WORDSIGHT_TRACEBACK": ""}

    def end(*args: object) -> tuple[int, str]:
        done = subprocess.run([*command, *map(str, args)], capture_output=True, text=True, env=environment)
        assert done.stdout == ""
        lines = done.stderr.splitlines(keepends=True)  # without those of progress, where it is slow
        return done.returncode, "".join(line for line in lines if " a second, " not in line)

    assert end(toy_pack, "--workers", 1) == (0, f"wordsight: {out}: 1 read, 0 failed\n")
    assert end(toy_pack) == (0, f"wordsight: {out}: 1 read, 0 failed\n")
    code, said = end(toy_pack, "--pattern", "[0-9]+")
    assert (code, said.count("\n")) == (2, 1)
    assert "is of another job" in said
    code, said = end("nowhere")
    assert code == 2
    assert "no model is called 'nowhere'" in said
    (photos / "white.png").write_bytes(b"none")
    out = tmp_path / "again"
    command[6] = str(out)
    assert end(toy_pack, "--workers", 1) == (
        1,
        f"wordsight: {out}: 0 read, 1 failed\nwordsight: the column error says why; --retry-failed reads them again\n",
    )
    (photos / "white.png").unlink()
    assert end(toy_pack) == (1, f"wordsight: {photos}: holds no pictures: check the path\n")
    command[4] = "missing"
    assert end(toy_pack) == (1, "wordsight: missing does not exist: check the path\n")  # as the help says
