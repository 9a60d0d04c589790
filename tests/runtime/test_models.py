import shutil
from contextlib import nullcontext

import pytest
from plain_pack import write_pack
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.detect import find_detector
from wordsight.errors import ModelError
from wordsight.models import checkpoint
from wordsight.runtime import find_model, models, shipped_models
from wordsight.weights.starts import checkpoint_folder


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tmp_path / "packs"
    write_pack(folder / "latin")
    (folder / "not-a-pack").mkdir()
    monkeypatch.setattr(models, "_SHIPPED", folder)
    return folder


def test_shipped_names(shipped):
    assert list(shipped_models()) == ["latin"]
    assert find_model() == find_model("latin") == shipped / "latin"


def test_a_folder_is_told_by_its_content(shipped, tmp_path):
    own = shutil.copytree(shipped / "latin", tmp_path / "own")
    assert find_model(own) == own
    assert find_model(str(own)) == own


def test_what_is_no_pack(shipped, tmp_path):
    with pytest.raises(ModelError, match="no model is called 'large': shipped are latin"):
        find_model("large")
    with pytest.raises(ModelError, match=r"is not a model pack \(it has no pack.json\)"):
        find_model(tmp_path)
    (tmp_path / "model.safetensors").touch()
    for config, cure in (
        ('{"format": 1}', "is a checkpoint, not a pack: run `wordsight models export"),
        ("{}", "is no pack of wordsight: run `wordsight models convert"),
    ):
        (tmp_path / "config.json").write_text(config)
        for find in (find_model, find_detector):
            with pytest.raises(ModelError, match=cure):
                find(tmp_path)
    with pytest.raises(ModelError, match="run `wordsight models convert"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("find", [find_model, checkpoint_folder])
def test_models_of_before_have_one_line(find, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"^tiny was replaced by latin: [^\n]*$"):
        find("tiny")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").touch()
    with pytest.raises(ModelError, match="not a model pack") if find is find_model else nullcontext():
        find("tiny")  # a folder of that name


def test_models_list(shipped):
    result = CliRunner().invoke(app, ["models", "list"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    line = next(line for line in result.output.splitlines() if "latin *" in line)
    assert line.split()[:4] == ["latin", "*", "0.0", "MB"]
    assert "few" in line
    assert "all 1" in line


def test_models_list_without_models(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "_SHIPPED", tmp_path / "nothing")
    result = CliRunner().invoke(app, ["models", "list"])
    assert (result.exit_code, "no models come with" in result.output) == (0, True)
