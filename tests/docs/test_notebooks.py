"""The notebooks of the documentation run from their beginning to their end."""

import os
import shutil
import sys
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def _marked(notebook: Path) -> object:
    """The first photo reads in seconds, the others train."""
    return pytest.param(notebook, id=notebook.stem, marks=[] if notebook.stem == "first-photo" else [pytest.mark.slow])


@pytest.mark.parametrize("notebook", [_marked(notebook) for notebook in NOTEBOOKS])
def test_it_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    there = tmp_path / "docs" / "notebooks"
    there.mkdir(parents=True)
    shutil.copy(notebook, there)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # for `!wordsight`
    read = nbformat.read(there / notebook.name, as_version=4)
    shown = [cell.outputs for cell in read.cells if cell.cell_type == "code"]
    client = nbclient.NotebookClient(
        read, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(there)}}
    )
    client.execute()
    ran = [cell.outputs for cell in read.cells if cell.cell_type == "code"]
    assert [bool(outputs) for outputs in ran] == [bool(outputs) for outputs in shown], "it shows other things"
