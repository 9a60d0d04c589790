"""Importing and reading writes nothing into the home folder and sends nothing, whatever ONNX Runtime would like to."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

READ = "import wordsight; print(len(wordsight.Reader(threads=1).read('photo.png').words))"


def run(folder: Path, code: str, *before: str, telemetry: str | None, home: str = "home") -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)).save(folder / "photo.png")
    (folder / "home").mkdir(exist_ok=True)
    (folder / "no folder").write_text("")
    environment = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("ORT_")}
    environment |= {"HOME": str(folder / home), "PYTHONDONTWRITEBYTECODE": "1"}
    if telemetry is not None:
        environment["ORT_DISABLE_TELEMETRY"] = telemetry
    command = [*before, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("telemetry", [None, "", "1"])
@pytest.mark.parametrize("home", ["home", "no folder"])
def test_reading_writes_nothing(tmp_path: Path, telemetry: str | None, home: str) -> None:
    """Not into the home folder nor, where there is none that can be written to, beside the program."""
    run(tmp_path, READ, telemetry=telemetry, home=home)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["home", "no folder", "photo.png"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("telemetry", [None, "", "1"])
def test_reading_makes_no_connection(tmp_path: Path, telemetry: str | None) -> None:
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-e", "trace=network", "-o", str(trace))
    run(tmp_path, READ + "; import time; time.sleep(15)", *strace, telemetry=telemetry)
    calls = trace.read_text()
    assert "exited with 0" in calls  # it has been watched
    assert re.findall(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*", calls) == []
