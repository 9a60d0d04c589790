"""The program itself: how it is called, what it says, how it is stopped."""

import os
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from wordsight.errors import ConfigError
from wordsight_research.cli.main import app

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
PROGRAM = [sys.executable, "-m", "wordsight_research"]


def test_help_names_all_commands() -> None:
    done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert all(name in done.stdout for name in ("ablate", "context", "pretrain", "zeroshot", "scenes", "pages"))


def test_an_error_is_one_line_with_the_name_of_the_program(tmp_path) -> None:
    command = [*PROGRAM, "ablate", "everything", "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("wordsight-research: ")


@pytest.mark.parametrize("below", ["", "/folder/folder"])
def test_a_file_where_a_folder_is_to_be(below, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_text("mine")
    result = CliRunner().invoke(app, ["ablate", "peft", "-o", f"notes{below}"])
    assert isinstance(result.exception, ConfigError)
    assert "notes is a file, but a folder is needed: choose another place" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.slow
def test_a_stopped_pretraining_does_not_look_finished(tmp_path) -> None:
    out = tmp_path / "clip"
    flags = ["--model", "compact", "-o", str(out), "--steps", "100000", "--every", "2"]
    with subprocess.Popen([*PROGRAM, "pretrain", "words", *flags], env=ENVIRONMENT) as process:
        while not (out / "last.ckpt").is_file():
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 143
