"""`wordsight models list` and `pull`."""

import sys
from pathlib import Path
from types import MappingProxyType

import pytest

sys.path.append(str(Path(__file__).parents[1] / "weights"))

from file_server import CONTENT, SHA256
from test_download import server  # noqa: F401
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ModelError
from wordsight.weights import catalogue
from wordsight.weights.catalogue import PUBLISHED, File, Weights


def test_list_shows_what_is_there_and_what_is_published():
    result = CliRunner().invoke(app, ["models", "list"])
    assert result.exit_code == 0
    output = " ".join(result.output.split())
    assert "latin *" in output
    for name, weights in PUBLISHED.items():
        assert name in output
        assert weights.page in output
        assert f"{weights.megabytes} MB" in output
    assert "IIIT5k 99.2, SVT 98.3" in output


@pytest.fixture
def offered(server, monkeypatch):  # noqa: F811
    files = (File(f"{server.address}/cut/model.bin", SHA256), File(f"{server.address}/plain/config.json"))
    page = "https://example.org"
    known = {
        "both": Weights("Two files", "nothing", 5, "MIT", page, files),
        "wrong": Weights("A file", "nothing", 3, "MIT", page, (File(files[0].url, "0" * 64),)),
        "gone": Weights("A file", "nothing", 3, "MIT", page, (File(f"{server.address}/nowhere/x.bin"),)),
        "page": Weights("A file", "nothing", 3, "MIT", page, ()),
    }
    monkeypatch.setattr(catalogue, "PUBLISHED", MappingProxyType(known))
    return server


def pull(name, to):
    return CliRunner().invoke(app, ["models", "pull", name, "--to", str(to)])


def test_pull(offered, tmp_path):
    result = pull("both", tmp_path / "weights")
    folder = tmp_path / "weights" / "both"
    assert result.exit_code == 0, result.output
    assert sorted(f.name for f in folder.iterdir()) == ["config.json", "model.bin"]
    assert (folder / "model.bin").read_bytes() == CONTENT
    lines = result.output.splitlines()
    assert lines[0] == f"{folder / 'model.bin'}: 2.5 MB, SHA-256 verified"
    assert lines[1] == f"{folder / 'config.json'}: 2.5 MB, no SHA-256 is published for it"
    assert lines[2] == f"Two files; licence: MIT; next: wordsight convert {folder} -o DIR"
    asked = len(offered.asked())
    assert pull("both", tmp_path / "weights").exit_code == 0
    assert len(offered.asked()) == asked  # nothing is loaded twice


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", "as published: it was removed"),
        ("gone", "answers 404"),
        ("page", "get it by hand from https://example.org"),
        ("unheard-of", "no published weights are called 'unheard-of': choose one of both, wrong, gone, page"),
    ],
)
def test_pull_that_fails(offered, tmp_path, name, message):
    result = pull(name, tmp_path / "weights")
    assert isinstance(result.exception, ModelError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not list(tmp_path.glob("weights/*/*"))


def test_pull_without_a_network(offered, tmp_path):
    offered.stop()
    result = pull("both", tmp_path / "weights")
    assert isinstance(result.exception, ModelError)
    assert "check the network" in str(result.exception)
    assert "\n" not in str(result.exception)
