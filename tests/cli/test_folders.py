"""Verbs that fill a folder look at its place before they look at anything else."""

import os

import pytest
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.cli.output import check_folder
from wordsight.errors import ConfigError

VERBS = (
    ["models", "convert", "weights.pt", "-o"],
    ["models", "export", "checkpoint", "-o"],
    ["finetune", "words", "--from", "checkpoint", "-o"],
    ["finetune", "words", "--from", "checkpoint", "-o", "out", "--pack"],
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: f"{verb[0]} {verb[-1]}")
@pytest.mark.parametrize("below", ["", "/folder/folder"])
def test_a_file_where_a_folder_is_to_be(verb, below, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_text("mine")
    result = CliRunner().invoke(app, [*verb, f"notes{below}"])
    assert isinstance(result.exception, ConfigError)
    assert "notes is a file, but a folder is needed: choose another place" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write everywhere
    with pytest.raises(ConfigError, match="is not writable"):
        check_folder(tmp_path / "a" / "b")
    (tmp_path / "a").mkdir()
    check_folder(tmp_path / "a" / "b")
    assert not (tmp_path / "a" / "b").exists()
