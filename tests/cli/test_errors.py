import pytest

from wordsight.cli import main
from wordsight.errors import ImageError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ImageError("a.jpg is not an image: convert it"), "wordsight: a.jpg is not an image: convert it\n"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "pip install 'wordsight[train]'\n"),
        (ModuleNotFoundError("No module named 'mcp'", name="mcp"), "pip install 'wordsight[mcp]'\n"),
        (
            ValueError("- Requirement 'wandb>=0.12.10' not met. HINT"),
            "wandb is not installed: pip install 'wordsight[wandb]'",
        ),
        (ValueError("Requirement 'comet-ml' not met"), "comet-ml is not installed: pip install 'comet-ml'\n"),
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
