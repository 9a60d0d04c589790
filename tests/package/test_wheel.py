"""The package as people get it: a wheel in an environment of its own, away from the source."""

import email
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "wordsight"
DEFAULT_PACK = PACKAGE / "packs" / "latin"
MAX_PACK = 25e6  # bytes; what a default download may cost


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an empty environment in which `pip install WHEEL` was run."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=True, symlinks=True)
    programs = home / "bin"
    command = [programs / "python", "-m", "pip", "install", "--no-compile", "-c", ROOT / "constraints.txt", wheel]
    done = subprocess.run(command, capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return programs


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Two plain words."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (480, 200), (250, 245, 235))
    pen = ImageDraw.Draw(image)
    pen.text((60, 30), "OPEN", (20, 30, 60), ImageFont.load_default(60))
    pen.text((60, 110), "HOTEL", (20, 30, 60), ImageFont.load_default(60))
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def _run(folder: Path, *command: Path | str) -> subprocess.CompletedProcess[str]:
    """Runs in `folder`, with nothing of this environment on the path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        str(file.relative_to(PACKAGE.parent))
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert "wordsight/py.typed" in wanted
    assert wanted <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"wordsight"}
    assert [name for name in names if "/" not in name] == ["wordsight-no-telemetry.pth"]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_base_package_needs_no_torch(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = email.message_from_bytes(archive.read(metadata))
    base = [line for line in about.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert base
    assert not [line for line in base if line.startswith(("torch", "lightning", "onnxscript", "jsonargparse"))]
    assert about["License-Expression"] == "Apache-2.0"


def test_an_empty_environment_gets_all_that_reading_needs(installed: Path, tmp_path: Path) -> None:
    """Everything outside training imports, from the wheel, with the dependencies that it declares."""
    code = """
import importlib, importlib.util, pkgutil
import wordsight
print(wordsight.__file__)
assert importlib.util.find_spec("torch") is None
extras = ("__pyinstaller", "bulk", "explain", "models", "plugins", "serve", "synth", "train", "weights")
# walk_packages imports packages to look into them, those of extras too: pass over their errors.
for module in pkgutil.walk_packages(wordsight.__path__, "wordsight.", onerror=lambda name: None):
    if module.name.split(".")[1] not in extras and module.name != "wordsight.imaging.pdf":
        importlib.import_module(module.name)
"""
    done = _run(tmp_path, installed / "python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


def test_the_installed_command_starts(installed: Path, tmp_path: Path) -> None:
    import wordsight

    assert _run(tmp_path, installed / "wordsight", "--version").stdout == f"wordsight {wordsight.__version__}\n"


def test_the_default_model_is_small() -> None:
    assert sum(file.stat().st_size for file in DEFAULT_PACK.rglob("*") if file.is_file()) <= MAX_PACK


def test_the_installed_command_reads(installed: Path, photo: Path) -> None:
    done = _run(photo.parent, installed / "wordsight", "read", photo.name, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    words = [w["text"].lower() for line in json.loads(done.stdout)["lines"] for w in line["words"]]
    assert words == ["open", "hotel"]


def test_the_installed_library_reads(installed: Path, photo: Path) -> None:
    code = f"import wordsight; print(wordsight.Reader().read({photo.name!r}).text.lower())"
    done = _run(photo.parent, installed / "python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "open\nhotel\n"


def test_nothing_is_sent_where_the_program_imported_onnxruntime_first(installed: Path, photo: Path) -> None:
    """Its wheels write to the home folder at once, and send, unless the installation says otherwise."""
    home = photo.parent / "home"
    home.mkdir()
    code = f"import onnxruntime, wordsight; print(wordsight.Reader().read({photo.name!r}).text.lower())"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ORT_")) and k != "CI"}
    environment["HOME"] = str(home)
    command = [installed / "python", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=photo.parent, env=environment)
    assert done.stdout == "open\nhotel\n", done.stderr
    assert list(home.rglob("*")) == []
