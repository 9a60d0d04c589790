"""`wordsight read` as a process of its own: pipes, signals, terminals, standard input."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight import Reader

COMMAND = [sys.executable, "-m", "wordsight.cli.main"]


@pytest.fixture(scope="module")
def crop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dice = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("crop") / "crop.png"
    Image.fromarray(dice.integers(0, 255, (4, 8, 3), dtype=np.uint8)).resize((80, 32)).save(path)
    return path


@pytest.fixture(scope="module")
def many(crop: Path) -> Path:
    """More crops than are read in the time that these tests take."""
    folder = crop.parent / "many"
    folder.mkdir()
    for k in range(5000):
        os.link(crop, folder / f"{k:04}.png")
    return folder


def _start(*args: object) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, "read", *map(str, args)], stdout=pipe, stderr=pipe, text=True, preexec_fn=_interruptible
    )


def _interruptible() -> None:
    """Shells start what runs in the background with SIGINT ignored, and that is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_standard_input_and_boxes(crop: Path, toy_pack: Path, tmp_path: Path) -> None:
    direct = subprocess.run(
        [*COMMAND, "read", "--crops", "--model", toy_pack, crop], capture_output=True, text=True, check=True
    )
    piped = subprocess.run(
        [*COMMAND, "read", "--crops", "--model", toy_pack, "-"], stdin=crop.open("rb"), capture_output=True, check=True
    )
    assert direct.stdout == piped.stdout.decode()
    assert len(direct.stdout) > 1
    assert direct.stderr == f"wordsight: reading with {toy_pack} on CPUExecutionProvider\n"
    boxes = tmp_path / "boxes.txt"
    boxes.write_text("0,0,80,0,80,32,0,32\n")
    boxed = subprocess.run(
        [*COMMAND, "read", "--boxes", boxes, "--model", toy_pack, crop], capture_output=True, text=True, check=True
    )
    (word,) = Reader(toy_pack).read(crop, [[(0, 0), (80, 0), (80, 32), (0, 32)]]).words  # also tried upside down
    assert boxed.stdout == f"{word.text}\n"


def test_pipe_that_closes_early_ends_it_quietly(many: Path, toy_pack: Path) -> None:
    process = _start("--crops", many, "--model", toy_pack, "--batch-size", 1)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(str(many / "0000.png"))
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(30) == 141
    assert stderr.count("\n") == 1, stderr


def test_interrupt_ends_it_quietly_and_leaves_a_part(many: Path, toy_pack: Path, tmp_path: Path) -> None:
    process = _start("--crops", many, "--model", toy_pack, "--batch-size", 1)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.count("\n") == 1, stderr

    out = tmp_path / "out.tsv"
    process = _start("--crops", many, "--model", toy_pack, "--batch-size", 1, "--out", out, "--format", "tsv")
    part = tmp_path / "out.tsv.part"
    while not (part.exists() and part.read_text().count("\n") > 1):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == [part]


def test_progress_bar_only_on_a_terminal(many: Path, toy_pack: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    main, terminal = pty.openpty()
    command = [*COMMAND, "read", "--crops", str(many), "--model", str(toy_pack), "--batch-size", "1"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out.txt")], stderr=terminal, stdout=terminal, preexec_fn=_interruptible
    )
    os.close(terminal)
    seen = b""
    try:
        while b"/5000" not in seen:
            seen += os.read(main, 1000)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        os.close(main)
    assert b"Reading" in seen


def test_damaged_files_are_one_line_each(toy_pack: Path, crop: Path, tmp_path: Path) -> None:
    """Pillow warns about damaged TIFFs on top of reading or refusing them."""
    stream = io.BytesIO()
    Image.open(crop).save(stream, "TIFF")
    dice = np.random.default_rng(1)
    for k in range(60):
        data = bytearray(stream.getvalue())
        for at in dice.integers(len(data) - 150, len(data), 4):
            data[at] = dice.integers(256)
        (tmp_path / f"{k:02}.tif").write_bytes(data[: -int(dice.integers(1, 20))] if k % 2 else data)
    command = [*COMMAND, "read", "--crops", "--model", toy_pack, tmp_path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    read, refused = len(result.stdout.splitlines()), len(result.stderr.splitlines()) - 1
    assert read + refused == 60, result.stderr
    assert refused > 10
    assert all(line.startswith("wordsight: ") for line in result.stderr.splitlines())
