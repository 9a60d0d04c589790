"""Old names of commands."""

import pytest
from typer.testing import CliRunner

from wordsight.cli.main import app


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["ablate", "peft", "--seeds", "2", "-o", "out"], "ablate"),
        (["context", "--help"], "context"),
        (["pretrain", "words", "folder"], "pretrain"),
        (["zeroshot"], "zeroshot"),
        (["synth-scenes", "--out", "places"], "scenes"),
        (["synth-pages", "--wear=0.2"], "pages"),
    ],
)
def test_an_old_name_says_the_new_one(old: list[str], new: str) -> None:
    result = CliRunner().invoke(app, old)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"wordsight: {old[0]} is now wordsight-research {new}: ")


def test_old_names_are_not_offered() -> None:
    assert "ablate" not in CliRunner().invoke(app, ["--help"]).stdout
