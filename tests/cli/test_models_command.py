"""`wordsight models list` and `pull`."""

import json
import shutil
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

sys.path.append(str(Path(__file__).parents[1] / "weights"))
sys.path.append(str(Path(__file__).parents[1] / "models"))

from file_server import CONTENT, SHA256
from test_download import server  # noqa: F401
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.detect import find_detector
from wordsight.errors import ModelError
from wordsight.runtime import find_model, load_pack
from wordsight.weights import catalogue
from wordsight.weights.catalogue import PUBLISHED, File, Weights


@pytest.mark.parametrize("columns", [80, 60, 200])
def test_list_fits_a_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    result = CliRunner().invoke(app, ["models", "list"])
    assert result.exit_code == 0
    assert "latin *" in result.output
    for name, weights in PUBLISHED.items():
        (line,) = (line for line in result.output.splitlines() if line.startswith(f"{name} "))
        assert f"{weights.megabytes} MB" in line
        assert weights.what in line
        assert weights.licence.split()[0] in line
    if columns >= 80:
        assert max(map(len, result.output.splitlines())) <= columns


def info(model):
    result = CliRunner().invoke(app, ["models", "info", str(model)], env={"COLUMNS": "100"})
    return result, " ".join(result.output.split())


def test_info_of_a_shipped_model():
    result, output = info("small")
    assert result.exit_code == 0
    for said in ("pack of", "image.onnx", "charset", "IC15-2077", "licence Apache-2.0", "without their photo"):
        assert said in output
    assert max(map(len, result.output.splitlines())) <= 100
    assert "input 128 x 32 pixels" in output
    assert "input any width x 48 pixels" in info("latin")[1]


@pytest.mark.parametrize("model", ["latin", "small"])
def test_scores_of_shipped_models_are_those_of_their_cards(model, request):
    scores = load_pack(find_model(model)).about["scores"]
    assert list(scores) == ["IC15-2077 36", "IC15-2077 62", "IC15-2077 94"]
    card = (request.config.rootpath / "docs" / "models" / f"{model}.md").read_text(encoding="utf-8")
    for what, score in scores.items():
        assert f"{what} {score}" in info(model)[1]
        assert f"{score:.2f} %" in card, what


def test_info_of_a_detector(tmp_path):
    result, output = info("lines")
    assert result.exit_code == 0
    assert "pack of a text detector" in output
    assert "licence Apache-2.0" in output
    assert "glance.onnx" in output
    shipped = Path(find_detector().file).parent
    shutil.copytree(shipped, tmp_path / "mine")
    assert "model lines" in info(tmp_path / "mine")[1]
    (tmp_path / "mine" / "detector.json").write_text("{")
    assert info(tmp_path / "mine")[0].exit_code == 1


def test_info_of_published_weights():
    for name, weights in PUBLISHED.items():
        result, output = info(name)
        assert result.exit_code == 0
        assert weights.page in output
        assert weights.trained_on in output
    assert "IIIT5k 99.2, SVT 98.3" in info("clip4str-b16-real")[1]
    assert "models pull clip4str-b16-real" in info("clip4str-b16-real")[1]


def test_info_of_a_checkpoint_has_its_parts_and_gates(tmp_path):
    pytest.importorskip("torch")
    from small_models import small_config

    from wordsight.models import checkpoint
    from wordsight.models.clip4str import Clip4Str
    from wordsight.models.clipter import ClipterConfig, insert
    from wordsight.models.clipter.model import Gate

    model = Clip4Str(small_config())
    insert(model, ClipterConfig(scene_dim=8))
    checkpoint.save(model, tmp_path / "told", licence="MIT")
    result, output = info(tmp_path / "told")
    assert result.exit_code == 0, result.output
    assert "checkpoint of clip4str, to fine-tune or export" in output
    weights = sum(each.numel() for each in model.visual_decoder.parameters())
    assert f"visual_decoder {weights:,} weights" in output
    assert output.count("0.0000 of the scene") == sum(isinstance(module, Gate) for module in model.modules()) > 0
    assert "charset letters, 10 characters: abcdefghij" in output
    assert "licence MIT" in output


def test_info_shows_no_control_characters(tmp_path):
    """A pack may state any licence."""
    pack = shutil.copytree(find_model("small"), tmp_path / "pack")
    manifest = json.loads((pack / "pack.json").read_text())
    manifest["about"]["licence"] = "mine \x1b[2J\x9b"
    (pack / "pack.json").write_text(json.dumps(manifest))
    result, output = info(pack)
    assert result.exit_code == 0, result.output
    assert r"licence mine \x1b[2J\x9b" in output


def test_info_of_nothing(tmp_path):
    for model in (tmp_path, "no-such-model"):
        result, _ = info(model)
        assert isinstance(result.exception, ModelError)


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
    return CliRunner().invoke(app, ["models", "pull", name, "--out", str(to)])


def test_pull(offered, tmp_path):
    result = pull("both", tmp_path / "weights")
    folder = tmp_path / "weights" / "both"
    assert result.exit_code == 0, result.output
    assert sorted(f.name for f in folder.iterdir()) == ["config.json", "model.bin"]
    assert (folder / "model.bin").read_bytes() == CONTENT
    lines = result.output.splitlines()
    assert lines[0] == f"{folder / 'model.bin'}: 2.5 MB, SHA-256 verified"
    assert lines[1] == f"{folder / 'config.json'}: 2.5 MB, no SHA-256 is published for it"
    assert lines[2] == f"Two files; licence: MIT; next: wordsight models convert {folder} -o DIR"
    asked = len(offered.asked())
    assert pull("both", tmp_path / "weights").exit_code == 0
    assert len(offered.asked()) == asked  # nothing is loaded twice


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", "as published: it was removed"),
        ("gone", "answers 404"),
        ("page", "download it by hand from https://example.org"),
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
