"""`wordsight read` in several processes, and what is left of it when it is stopped."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight.cli.output import KeptLines, opened
from wordsight.errors import ConfigError

COMMAND = [sys.executable, "-m", "wordsight.cli.main", "read"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(8):
        photo = Image.new("RGB", (160, 60), "white")
        ImageDraw.Draw(photo).text((10, 10), f"No {k}", "black", ImageFont.load_default(32))
        photo.save(folder / f"{k}.png")
    (folder / "3.png").write_bytes(b"none")
    return folder


def read(*args: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True)


def test_stopped_it_leaves_a_part_from_which_the_same_command_goes_on(
    photos: Path, toy_pack: Path, tmp_path: Path
) -> None:
    out, part, whole = (tmp_path / name for name in ("words.jsonl", "words.jsonl.part", "whole.jsonl"))
    out.write_text("an earlier one\n")
    options = [photos, *[photos / "0.png"] * 40, "--model", toy_pack, "--format", "jsonl", "--min-confidence", 0]
    process = subprocess.Popen([*COMMAND, *map(str, options), "--out", str(out)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 600  # for machines that are busy
    while not (part.exists() and part.read_bytes().count(b"\n") >= 5) and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    assert sorted(path.name for path in tmp_path.iterdir()) == ["words.jsonl", "words.jsonl.part"]
    assert out.read_text() == "an earlier one\n"
    with part.open("ab") as file:
        file.write(b'{"schema": 1, "sour')  # as if it had been killed while it wrote
    read_before = part.read_bytes().count(b"\n")
    assert [json.loads(line)["source"] for line in part.read_text().splitlines()[:4]] == [
        str(photos / f"{k}.png") for k in (0, 1, 2, 4)
    ]

    other = read(*options, "--out", out, "--pattern", "[A-Z]+")
    assert other.returncode == 2
    assert "words.jsonl.part was left by another command" in other.stderr
    assert part.exists()

    again = read(*options, "--out", out, "--workers", 2)
    assert f"{read_before} of 48 pictures had been read before" in again.stderr
    at_once = read(*options, "--out", whole)
    assert again.returncode == at_once.returncode == 1  # 3.png
    assert again.stderr.count("3.png") == 1
    assert out.read_bytes() == whole.read_bytes()
    assert [json.loads(line)["source"] for line in out.read_text().splitlines()[:4]] == [
        str(photos / f"{k}.png") for k in (0, 1, 2, 4)
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.jsonl", "words.jsonl"]


@pytest.mark.parametrize("output_format", ["csv", "json"])
def test_processes_read_what_one_reads(photos: Path, toy_pack: Path, output_format: str, tmp_path: Path) -> None:
    options = [photos, "--model", toy_pack, "--format", output_format, "--min-confidence", 0]
    alone, together = read(*options), read(*options, "--workers", 2, "--draw", tmp_path)
    assert together.stdout == alone.stdout
    assert len(alone.stdout.splitlines()) >= 7
    assert together.stderr == alone.stderr
    assert together.returncode == alone.returncode == 1
    assert len(list(tmp_path.iterdir())) == 7


def test_boxes_and_standard_input_reach_the_processes(photos: Path, toy_pack: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.txt"
    boxes.write_text("0,0,160,0,160,60,0,60\n")
    command = [*COMMAND, "-", str(photos / "1.png"), "--boxes", str(boxes), "--model", str(toy_pack)]
    outs = [
        subprocess.run([*command, *more], stdin=(photos / "0.png").open("rb"), capture_output=True, check=True).stdout
        for more in ([], ["--workers", "2"])
    ]
    assert outs[0] == outs[1]
    assert outs[0].startswith(b"==> <stdin> <==\n")


def test_crops_are_not_for_several_processes(photos: Path) -> None:
    result = read(photos, "--crops", "--workers", 2)
    assert result.returncode == 2
    assert "--crops and --workers exclude each other" in result.stderr


def line(name: str, text: str) -> str:
    return json.dumps({"source": name, "text": text, "problems": []}) + "\n"


def test_kept_lines_come_out_in_the_order_of_the_pictures(tmp_path: Path) -> None:
    out = tmp_path / "words.jsonl"
    names = ["a", "b", "a", "c", "é"]
    with KeptLines(out, "x") as kept:
        assert not kept.take("a")
        for name, text in (("a", "1"), ("c", "2")):  # b could not be read
            kept.add(name, line(name, text))
    for _ in range(2):  # stopped twice
        with KeptLines(out, "x") as kept:
            assert [kept.take(name) for name in names] == [True, False, False, True, False]
    with KeptLines(out, "x") as kept:
        for name, text in (("b", "3"), ("a", "4"), ("é", "5")):
            kept.add(name, line(name, text))
        kept.finish(names)
    wanted = [("a", "1"), ("b", "3"), ("a", "4"), ("c", "2"), ("é", "5")]
    assert out.read_text() == "".join(line(*pair) for pair in wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["words.jsonl"]


def test_two_commands_cannot_write_one_file_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    out = tmp_path / "words.jsonl"
    with KeptLines(out, "x") as kept:
        kept.add("a", line("a", "1"))
        with pytest.raises(ConfigError, match="being written by another process"):
            KeptLines(out, "x")
        with pytest.raises(ConfigError, match="being written by another process"), opened(out):
            pass
        kept.finish(["a"])
    assert out.read_text() == line("a", "1")


def test_a_device_is_written_to_as_it_is() -> None:
    with opened(Path(os.devnull)) as write:
        write("text")
    assert not Path(os.devnull).is_file()


def test_a_full_disk_leaves_what_was_read(photos: Path, toy_pack: Path, tmp_path: Path) -> None:
    if not shutil.which("prlimit"):
        pytest.skip("no prlimit, to make files small with")
    out = tmp_path / "words.jsonl"
    command = [*COMMAND, str(photos), "--model", str(toy_pack), "--format", "jsonl", "--out", str(out)]
    command += ["--min-confidence", "0"]
    limited = subprocess.run(["prlimit", "--fsize=20000", *command], capture_output=True, text=True)
    assert limited.returncode == 1
    assert "cannot be written" in limited.stderr
    assert "Traceback" not in limited.stderr
    kept = (tmp_path / "words.jsonl.part").read_bytes().count(b"\n")
    assert 0 < kept < 7
    again = subprocess.run(command, capture_output=True, text=True)
    assert f"{kept} of 8 pictures had been read before" in again.stderr
    assert len(out.read_text().splitlines()) == 7


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_a_terminal_gets_no_control_characters(kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets them as they are: names must be found again."""
    monkeypatch.setattr(sys, "stdout", kind())
    with opened(None) as write:
        write("\x1b]0;x\x07.png\t1\r\x9b2J\x7f é\u3000\n")
    seen = sys.stdout.getvalue()  # type: ignore[attr-defined]
    kept = kind is io.StringIO
    assert seen == (
        "\x1b]0;x\x07.png\t1\r\x9b2J\x7f é\u3000\n" if kept else "\\x1b]0;x\\x07.png\t1\\r\\x9b2J\\x7f é\u3000\n"
    )
