"""Small data, and `wordsight train` on it: in this process, or in processes of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import tiny_config
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str


@pytest.fixture
def words(tmp_path):
    """Forty real crops: noise, under words of one to ten characters."""
    folder = tmp_path / "words"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = ["".join(rng.choice(list("abcdefgh"), 1 + i % 10)) for i in range(40)]
    for i in range(40):
        Image.fromarray(rng.integers(0, 255, (20, 60, 3), np.uint8)).save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\t{label}\n" for i, label in enumerate(labels)))
    return folder


@pytest.fixture
def arguments(words, tmp_path):
    """The arguments of `wordsight` for a run on real words only that starts from the same weights as all others."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"""
model: {{start: {tmp_path / "start"}, optimiser: {{lr: 1.0e-3, warmup: 2}}}}
data: {{real: [{words}], real_share: 1.0, augmentation: randaugment, batch_size: 4, pool: 2, workers: 0}}
trainer: {{accelerator: cpu, max_epochs: -1, max_steps: 4, val_check_interval: 2, check_val_every_n_epoch: null,
    num_sanity_val_steps: 0, enable_progress_bar: false, log_every_n_steps: 1}}
""")

    def build(name, *flags, dropout=0.0):
        torch.manual_seed(0)
        checkpoint.save(Clip4Str(tiny_config(dropout)), tmp_path / "start")
        return ["train", str(recipe), f"--trainer.default_root_dir={tmp_path / name}", *flags]

    return build


@pytest.fixture
def train_here(arguments, tmp_path):
    """Runs it in this process and returns the run's folder."""

    def run(name, *flags, dropout=0.0):
        result = CliRunner().invoke(app, arguments(name, *flags, dropout=dropout), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return tmp_path / name

    return run


@pytest.fixture
def start_apart(arguments, tmp_path):
    """Starts it as a process of its own, in a new process group."""

    def start(name, *flags, dropout=0.0):
        return subprocess.Popen(
            [sys.executable, "-m", "wordsight.cli.main", *arguments(name, *flags, dropout=dropout)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


@pytest.fixture
def train_apart(start_apart, tmp_path):
    """Runs it there to its end and returns the run's folder."""

    def run(name, *flags, dropout=0.0):
        process = start_apart(name, *flags, dropout=dropout)
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output[-3000:]
        return tmp_path / name

    return run
