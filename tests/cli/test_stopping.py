"""What a command leaves that a signal ends, or a full disk: nothing that looks finished, and the earlier result."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str

sys.path.append(str(Path(__file__).parents[1] / "train"))
from small_runs import tiny_config

COMMAND = [sys.executable, "-m", "wordsight.cli.main"]


def start(*arguments, **options):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs inherit that it is ignored
        **options,
    )


def until(true, process, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.stdout.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def words(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(rng.integers(0, 255, (20, 60, 3), np.uint8)).save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\tword{i}\n" for i in range(40)))
    return folder


@pytest.fixture
def start_folder(tmp_path):
    torch.manual_seed(0)
    return checkpoint.save(Clip4Str(tiny_config()), tmp_path / "start")


def training(words, start_folder, out):
    recipe = out.parent / "recipe.yaml"
    recipe.write_text(f"""
model: {{start: {start_folder}}}
data: {{real: [{words}], real_share: 1.0, batch_size: 4, pool: 1, workers: 0}}
trainer: {{accelerator: cpu, max_epochs: -1, max_steps: 100000, val_check_interval: 2, check_val_every_n_epoch: null,
    num_sanity_val_steps: 0, enable_progress_bar: false, log_every_n_steps: 1, default_root_dir: {out}}}
""")
    return ["train", recipe]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_does_not_look_finished(words, start_folder, tmp_path, number):
    """So that what comes next in a script does not export it."""
    out = tmp_path / "run"
    process = start(*training(words, start_folder, out))
    until((out / "last.ckpt").is_file, process)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert torch.load(out / "last.ckpt", weights_only=True)["global_step"] < 100000
    assert b"Traceback" not in process.stdout.read()


@pytest.mark.slow
def test_nor_does_a_stopped_finetuning(words, start_folder, tmp_path):
    out = tmp_path / "mine"
    process = start("finetune", words, "--from", start_folder, "-o", out, "--steps", 100000, "--replay", 0)
    time.sleep(25)  # nothing is written before the end
    process.terminate()
    assert process.wait(60) == 143, process.stdout.read().decode()
    assert not (out / "config.json").exists()


@pytest.fixture
def rendered(tmp_path):
    """A set that a command of the same kind wrote before."""
    out = tmp_path / "set"
    made = CliRunner().invoke(app, ["synth", "words", "--count", "60", "--out", str(out), "--seed", "1"])
    assert made.exit_code == 0, made.output
    return out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_rendering_leaves_the_earlier_set_and_no_process(rendered, number):
    before = content(rendered)
    process = start("synth", "words", "--count", 100000, "--out", rendered, "--seed", 2, "--workers", 2)
    until(lambda: len(list(rendered.rglob("*.jpg"))) > 80, process)
    process.send_signal(number)
    assert process.wait(60) == (-9 if number == signal.SIGKILL else 143)
    end = time.monotonic() + 20
    while processes_of(process.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_of(process.pid) == []
    after = content(rendered)
    if number == signal.SIGKILL:  # nobody was left to take away what was hidden
        after = {name: data for name, data in after.items() if not name.startswith(".new-")}
    assert after == before


def processes_of(session):
    """Those of a session that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(status.parent.name)
    return found


def no_more_than(size):
    """Files that are longer cannot be written, as if the disk were full."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def fails(arguments, size):
    made = subprocess.run(
        [*COMMAND, *map(str, arguments)], preexec_fn=no_more_than(size), capture_output=True, text=True
    )
    assert made.returncode == 1, made.stderr
    return made.stderr.splitlines()[-1]


def test_a_full_disk_is_one_line_that_names_the_file(rendered, words, start_folder, tmp_path):
    before = content(rendered)
    line = fails(["synth", "words", "--count", 100, "--out", rendered, "--seed", 2], 1000)
    assert line.startswith(f"wordsight: {rendered}")
    assert "File too large" in line
    assert content(rendered) == before
    street = tmp_path / "street"
    line = fails(["synth", "scenes", "--out", street], 1000)
    assert line == f"wordsight: {street}/0.png: cannot be written (File too large); choose another --out"
    assert not list(street.iterdir())
    scores = tmp_path / "scores.json"
    scores.write_text("old")
    line = fails(["eval", "small", rendered, "--limit", 4, "--json", scores], 100)
    assert line == f"wordsight: {scores}: File too large"
    assert scores.read_text() == "old"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_so_it_is_where_weights_are_written(words, start_folder, tmp_path):
    run, pack = tmp_path / "run", tmp_path / "pack"
    line = fails(training(words, start_folder, run), 50_000)
    assert str(run) in line
    assert "too large" in line
    assert not (run / "last.ckpt").exists()
    made = CliRunner().invoke(app, ["models", "export", str(start_folder), "-o", str(pack)])
    assert made.exit_code == 0, made.output
    before = content(pack)
    line = fails(["models", "export", start_folder, "-o", pack, "--float32"], 50_000)
    assert line.startswith(f"wordsight: {pack}")
    assert content(pack) == before
    assert json.loads((pack / "pack.json").read_text())["about"]["weights"] == "float16"
