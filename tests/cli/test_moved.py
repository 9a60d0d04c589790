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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["convert", "weights.pt", "-o", "mine"], "models convert"),
        (["export", "--help"], "models export"),
        (["calibrate", "pack", "words"], "models calibrate"),
        (["synth", "--out", "words"], "synth words"),
        (["synth-scene", "--out", "street.png"], "synth scenes"),
        (["synth-backgrounds", "scenes", "--out", "patches"], "synth backgrounds"),
    ],
)
def test_commands_of_before_say_in_which_group_they_are_now(old: list[str], new: str) -> None:
    result = CliRunner().invoke(app, old)
    assert result.exit_code == 2
    assert result.stderr == f"wordsight: {old[0]} is now wordsight {new}\n"
    group, name = new.split()
    helped = CliRunner().invoke(app, [group, name, "--help"])  # it is there
    assert helped.exit_code == 0
    assert f"wordsight {new}" in helped.stdout.replace("root", "wordsight")


def test_old_names_are_not_offered() -> None:
    lines = CliRunner().invoke(app, ["--help"]).stdout.splitlines()
    offered = {words[1] for line in lines if len(words := line.split()) > 1}
    assert {"read", "models", "synth"} <= offered
    assert not offered & {"ablate", "convert", "export", "calibrate", "synth-scene"}
