import json
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from wordsight.cli import main
from wordsight.errors import ImageError, pip_install


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ImageError("a.jpg is not an image: convert it"), "wordsight: a.jpg is not an image: convert it\n"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            f"torch is not installed: {pip_install('train')}\n",
        ),
        (ModuleNotFoundError("No module named 'mcp'", name="mcp"), f"mcp is not installed: {pip_install('mcp')}\n"),
        (
            ValueError("- Requirement 'wandb>=0.12.10' not met. HINT"),
            f"wandb is not installed: {pip_install('wandb')}\n",
        ),
        (ValueError("Requirement 'comet-ml' not met"), "comet-ml is not installed: pip install comet-ml\n"),
        (OSError(28, "No space left on device", "out/a.png"), "wordsight: out/a.png: No space left on device\n"),
        (RuntimeError("two\nlines"), "unexpected RuntimeError: two lines (WORDSIGHT_TRACEBACK=1"),
    ],
)
def test_an_error_is_one_line_and_exit_status_1(monkeypatch, capsys, error, line):
    def fail():
        raise error

    monkeypatch.delenv("WORDSIGHT_TRACEBACK", raising=False)
    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 1
    message = capsys.readouterr().err
    assert line in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'wordsight[pdf]'"),  # from an index
        ({"url": "file://{}", "dir_info": {}}, "pip install '{}[pdf]'"),
        ({"url": "file://{}", "dir_info": {"editable": True}}, "pip install -e '{}[pdf]'"),
        ({"url": "file://{}/gone", "dir_info": {}}, "pip install '.[pdf]' in a clone of wordsight"),
        (
            {"url": "https://example.org/wordsight.git", "vcs_info": {"vcs": "git"}},
            "pip install 'wordsight[pdf] @ https://example.org/wordsight.git'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came(monkeypatch, tmp_path, origin, command):
    clone = tmp_path / "my clone"
    clone.mkdir()
    text = origin and json.dumps(origin | {"url": origin["url"].replace("{}", clone.as_posix().replace(" ", "%20"))})
    monkeypatch.setattr(metadata, "distribution", lambda name: SimpleNamespace(read_text=lambda file: text))
    monkeypatch.setattr("shutil.which", lambda name: str(Path(sys.executable).with_name(name)))
    assert pip_install("pdf") == command.replace("{}", str(clone))
    monkeypatch.setattr("shutil.which", lambda name: None)  # this environment's pip is not the one on the path
    assert pip_install("pdf") == f"{sys.executable} -m {command.replace('{}', str(clone))}"


def test_a_traceback_can_be_had(monkeypatch):
    def fail():
        raise RuntimeError("inside")

    monkeypatch.setenv("WORDSIGHT_TRACEBACK", "1")
    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(RuntimeError, match="inside"):
        main.main()


def test_what_a_terminal_would_obey_is_written_out(monkeypatch, capsys):
    """File names may hold anything."""

    def fail():
        raise OSError(28, "No space left on device", "out/\x1b]0;title\x07\u202e.png")

    assert str(ImageError("a\x1b[2J\n.jpg is é: \udcff")) == r"a\x1b[2J\n.jpg is é: \udcff"
    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().err == "wordsight: out/\\x1b]0;title\\x07\\u202e.png: No space left on device\n"
