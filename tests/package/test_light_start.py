"""What starting costs: time, and libraries loaded."""

import importlib.metadata
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "wordsight"
HEAVY = ("numpy", "torch", "onnxruntime", "cv2", "PIL", "rapidocr", "lightning")
WORDSIGHT = str(Path(sys.executable).with_name("wordsight"))
# As on a user's machine, where modules are compiled once.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME")}
TORCH_ROOMS = ("models", "train", "weights", "explain")


def _seconds(*command: str, runs: int = 7) -> float:
    """Processor time of a command, best of some runs.

    Starting computes on one processor and waits for nothing, so on a machine at rest this is the time that passes;
    on a busy one it does not count what others take.
    """
    times = []
    for _ in range(runs + 1):
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        times.append(usage.ru_utime + usage.ru_stime)
    return min(times[1:])  # the first one compiled


def _loaded(code: str) -> list[str]:
    """Which of the heavy libraries a piece of code loads."""
    probe = f"{code}\nimport sys, json\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no processor times of single processes on this system")
def test_importing_takes_under_150_ms() -> None:
    bare = _seconds(sys.executable, "-c", "pass")
    assert _seconds(sys.executable, "-c", "import wordsight") - bare < 0.15


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no processor times of single processes on this system")
def test_help_takes_under_500_ms() -> None:
    assert _seconds(WORDSIGHT, "--help") < 0.5


def test_importing_loads_nothing_heavy() -> None:
    assert _loaded("import wordsight") == []


def test_the_probe_notices_what_is_loaded() -> None:
    assert "numpy" in _loaded("import wordsight.text")


@pytest.mark.parametrize(
    "words", [["--help"], ["read", "--help"], ["eval", "--help"], ["train", "--help"], ["--version"]]
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["wordsight", *{words!r}]
from wordsight.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert _loaded(code) == []


def test_everything_but_training_imports_without_its_extra() -> None:
    """In a process where nothing of the extra [train] can be imported, torch first of all."""
    modules = sorted(
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for file in PACKAGE.rglob("*.py")
        if file.relative_to(PACKAGE).parts[0] not in TORCH_ROOMS
        if file.stem.isidentifier()  # PyInstaller's hook is none: PyInstaller runs it, nobody imports it
        if file.parent.name != "plugins" or find_spec(file.stem)  # which are imported by what they plug into
    )
    assert "wordsight.reader" in modules
    code = """
import importlib, sys

class Blocked:
    names = {"torch", "lightning", "jsonargparse", "safetensors", "lmdb", "onnx", "onnxscript", "tensorboard"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
for module in sys.argv[1:]:
    importlib.import_module(module)
print(len(sys.argv[1:]), "imported")
"""
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout == f"{len(modules)} imported\n", done.stderr


def test_the_installed_version_is_that_of_the_source() -> None:
    import wordsight

    assert importlib.metadata.version("wordsight") == wordsight.__version__
