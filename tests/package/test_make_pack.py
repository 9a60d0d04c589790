"""`make pack` is killed twice, and the same command finishes it."""

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

from wordsight.runtime import load_pack

ROOT = Path(__file__).parents[2]
SMALL = "--data.batch_size=4 --data.pool=1 --data.workers=0 --trainer.accelerator=cpu --trainer.val_check_interval=5"
FLAGS = {
    "DATA": "data",
    "PACK": "packs/new",
    "MEASURED": "2",
    "TRAIN_FLAGS": f"{SMALL} --trainer.max_steps=10",
    "ANNEAL_FLAGS": f"{SMALL} --trainer.max_steps=20 --model.decay=5 --model.cross_from=12",
}
RUN = Path("runs/tiny")

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """What `make pack` needs of the repository, its environment installed already, and a few drawn words."""
    for name in ("Makefile", "benchmarks", "recipes", "checkpoints", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    for stamp in (".made", ".base", ".dev"):
        (tmp_path / ".venv" / stamp).touch()
    for kind in ("train", "test"):
        words = tmp_path / "data" / "words" / kind / "drawn"
        words.mkdir(parents=True)
        for i in range(20):
            picture = Image.new("RGB", (120, 32), "white")
            ImageDraw.Draw(picture).text((4, 2), f"word{i}", "black", ImageFont.load_default(24))
            picture.save(words / f"{i}.png")
        (words / "labels.tsv").write_text("".join(f"{i}.png\tword{i}\n" for i in range(20)))
    (tmp_path / "data" / "corpora").mkdir()
    (tmp_path / "data" / "corpora" / "words.txt").write_text("open\nclosed\n")
    return tmp_path


def start(house: Path) -> "subprocess.Popen[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    command = [shutil.which("make") or "make", "pack", *(f"{name}={value}" for name, value in FLAGS.items())]
    return subprocess.Popen(
        command,
        cwd=house,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def killed_at(house: Path, file: Path) -> str:
    """What it printed until `file` was there."""
    run = start(house)
    while not (house / file).exists():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    return run.communicate()[0]


def test_killed_twice_it_is_finished_by_the_same_command(house: Path) -> None:
    output = killed_at(house, RUN / "last.ckpt")
    assert "--ckpt_path" not in output.split("$(test")[0]
    assert not (house / RUN / ".stable").exists()
    written = (house / RUN / "last.ckpt").stat().st_mtime_ns
    killed_at(house, RUN / ".exported")
    assert (house / RUN / "last.ckpt").stat().st_mtime_ns > written
    assert not (house / RUN / "card.md").exists()

    last = start(house)
    output = last.communicate()[0]
    assert last.returncode == 0, output
    assert "wordsight train" not in output
    pack = load_pack(house / "packs" / "new")
    assert (pack.about["steps"], pack.cross, pack.about["calibration"]["words"]) == (20, True, 2)
    assert set(pack.about["scores"]) == {f"DRAWN-20 {protocol}" for protocol in ("36", "62", "94")}
    steps = [row for file in (house / RUN).rglob("metrics.csv") for row in file.read_text().splitlines()[1:]]
    assert steps
    card = (house / RUN / "card.md").read_text()
    assert all(f"## {part}" in card for part in ("Scores", "Calibration", "Beside PyTorch", "Promises"))
    for picture in ("learning-curve.png", "reliability.png"):
        assert f"({picture})" in card
        with Image.open(house / RUN / picture) as image:
            assert image.width > 300
    assert {row["n"] for row in json.loads((house / RUN / "promises.json").read_text())} == {2}

    again = start(house)
    assert again.communicate()[0].startswith("packs/new is done")
