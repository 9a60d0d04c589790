"""Frozen applications: PyInstaller's hook takes along what no import names."""

import importlib.util
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from wordsight.__pyinstaller import get_hook_dirs
from wordsight.export import FORMATS

ROOT = Path(__file__).parents[2]


def test_pyinstaller_is_told_where_the_hook_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pyinstaller40"] == {"hook-dirs": "wordsight.__pyinstaller:get_hook_dirs"}
    (folder,) = get_hook_dirs()
    assert Path(folder, "hook-wordsight.py").is_file()


def test_the_hook_names_models_word_lists_and_late_imports() -> None:
    pytest.importorskip("PyInstaller")
    hook = runpy.run_path(str(Path(get_hook_dirs()[0], "hook-wordsight.py")))
    inside = {f"{folder}/{Path(file).name}" for file, folder in hook["datas"]}
    assert {"wordsight/packs/small/pack.json", "wordsight/text/english.txt.gz"} <= inside
    assert {"wordsight/packs/latin/image.onnx", "wordsight/detectors/lines/map.onnx"} <= inside
    assert {f"wordsight.export.{name}" for name in FORMATS} <= set(hook["hiddenimports"])
    assert all(importlib.util.find_spec(name) for name in hook["hiddenimports"])


@pytest.mark.slow
def test_a_frozen_application_reads(tmp_path: Path) -> None:
    pytest.importorskip("PyInstaller")
    app = tmp_path / "app.py"
    app.write_text("import sys, wordsight\nprint(wordsight.Reader(threads=1).read(sys.argv[1]).text)\n")
    options = ["--distpath", tmp_path / "dist", "--workpath", tmp_path / "build", "--specpath", tmp_path]
    options += ["--additional-hooks-dir", get_hook_dirs()[0], "--exclude-module", "torch", "--log-level", "ERROR"]
    subprocess.run([sys.executable, "-m", "PyInstaller", "-y", *map(str, options), str(app)], check=True)
    command = [tmp_path / "dist" / "app" / "app", ROOT / "examples" / "street.png"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "OPEN" in done.stdout
