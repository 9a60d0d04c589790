import dataclasses
import json
import shutil

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str import config as presets
from wordsight.models.config import DecoderConfig, ImageTowerConfig
from wordsight_research.ablations import table as tables
from wordsight_research.ablations.report import plot
from wordsight_research.cli.main import app


@pytest.fixture(autouse=True)
def small(monkeypatch):
    cfg = presets.CLIP4STR_PRESETS["clip4str-tiny"]
    image = ImageTowerConfig(32, 128, patch=(16, 16), class_token=False, width=24, layers=2, heads=3, activation="gelu")
    text = dataclasses.replace(cfg.text, width=24, layers=2, heads=3)
    cfg = dataclasses.replace(cfg, image=image, text=text, decoder=DecoderConfig(heads=3), embed_dim=24)
    monkeypatch.setitem(presets.CLIP4STR_PRESETS, "small", cfg)
    return cfg


@pytest.fixture
def ablate(tmp_path):
    def run(name, *flags, code=0):
        sizes = ["--model", "small", "--steps", "2", "--batch-size", "4", "--eval-words", "6", "--workers", "0"]
        result = CliRunner().invoke(app, ["ablate", name, "-o", str(tmp_path / "out"), *sizes, *flags])
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads((tmp_path / "out" / f"{name}.json").read_text()) if code == 0 else result

    return run


@pytest.fixture
def counted(monkeypatch):
    """The names of the rows that are trained."""
    trained = []
    real = tables.run

    def run(row, *rest):
        trained.append(row.name)
        return real(row, *rest)

    monkeypatch.setattr(tables, "run", run)
    return trained


def test_shapes_cost_the_same_not_the_same_number_of_steps(ablate, tmp_path):
    found = ablate("shapes", "--steps", "6")
    steps = {row["name"]: row["seeds"][0]["steps"] for row in found["rows"]}
    assert steps["patches of 8 x 8, 4 x 16"] > steps["patches of 4 x 8, 8 x 16"] > 0
    assert {row.get("against") for row in found["rows"]} == {None, "stem, 1 x 32"}
    assert "| steps |" in (tmp_path / "out" / "shapes.md").read_text()


def test_components_run_end_to_end_and_only_once(ablate, counted, tmp_path):
    found = ablate("components")
    assert counted == ["baseline", "+ PSM", "+ recipe", "+ cross-modal branch", "+ large"]
    status = {row["name"]: row["status"] for row in found["rows"]}
    assert status.pop("+ CLIP encoder") == "needs CLIP weights: --clip DIR"
    assert set(status.values()) == {"done"}
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["+ recipe"]["against"] == "+ PSM"  # the row between was not run
    assert rows["+ large"]["seeds"][0]["parameters"] > rows["+ cross-modal branch"]["seeds"][0]["parameters"]
    assert found["n"] == 6
    assert found["seconds"] > 0
    assert (tmp_path / "out" / "components.png").is_file()
    text = (tmp_path / "out" / "components.md").read_text()
    assert "| + CLIP encoder | needs CLIP weights: --clip DIR |" in text
    assert "not shown" in text
    ablate("components", "--seeds", "2")
    assert len(counted) == 10  # the first seed was there
    ablate("components", "--seeds", "2")
    assert len(counted) == 10
    assert "±" in (tmp_path / "out" / "components.md").read_text()


def test_a_training_is_a_function_of_its_seed(ablate, tmp_path):
    def losses():
        return {row["name"]: [s["loss"] for s in row.get("seeds", [])] for row in ablate("pretraining")["rows"]}

    first = losses()
    for file in (tmp_path / "out" / "runs").iterdir():
        file.unlink()
    assert losses() == first
    assert first["random"]


def test_rows_that_come_to_the_same_share_a_training(ablate, counted, small, tmp_path):
    checkpoint.save(Clip4Str(small), tmp_path / "trained")
    found = ablate("freezing", "--clip", str(tmp_path / "trained"))
    rows = {row["name"]: row for row in found["rows"]}
    assert {row["status"] for row in rows.values()} == {"done"}
    assert rows["text 6"]["seeds"] == rows["image 0"]["seeds"]  # 1 of 2 layers of text, 0 of 2 of the image
    assert len(counted) == len({json.dumps(row["seeds"]) for row in rows.values()}) < len(rows)


def test_peft_rows_run(ablate, small, tmp_path):
    checkpoint.save(Clip4Str(small), tmp_path / "trained")
    found = ablate("peft", "--clip", str(tmp_path / "trained"))
    trained = {row["name"]: row["seeds"][0]["trainable"] for row in found["rows"]}
    assert trained["frozen"] < trained["CLIP-Adapter"] < trained["full"]


def test_other_weights_later_keep_what_was_run(ablate, counted, small, tmp_path):
    ablate("pretraining")
    assert counted == ["random"]
    from wordsight.models.parseq import Parseq, ParseqConfig

    vit = ParseqConfig(image=small.image, decoder=small.decoder, embed_dim=24, charset=small.charset, max_length=40)
    checkpoint.save(Parseq(vit), tmp_path / "vit")
    ablate("pretraining", "--imagenet-1k", str(tmp_path / "vit"))
    assert counted == ["random", "imagenet-1k"]
    shutil.copytree(tmp_path / "vit", tmp_path / "moved")
    ablate("pretraining", "--imagenet-1k", str(tmp_path / "moved"))
    assert counted == ["random", "imagenet-1k"]
    torch.manual_seed(17)
    checkpoint.save(Parseq(vit), tmp_path / "vit")  # other weights in the same place
    ablate("pretraining", "--imagenet-1k", str(tmp_path / "vit"))
    assert counted == ["random", "imagenet-1k", "imagenet-1k"]


def test_weights_that_are_not_there_are_said_before_anything_is_trained(ablate, counted, tmp_path):
    for folder in (tmp_path / "nothing", tmp_path):
        for option in ("--imagenet-21k", "--clip"):
            result = ablate("pretraining", option, str(folder), code=1)
            assert isinstance(result.exception, ModelError)
            assert f"{folder} is not a checkpoint folder" in str(result.exception)
    assert counted == []


def test_a_budget_leaves_rows_for_the_next_call(ablate, counted):
    found = ablate("pretraining", "--budget", "0")
    assert counted == []
    assert found["rows"][0]["status"] == "not run yet"
    ablate("pretraining", "--budget", "5")
    assert counted == ["random"]


def test_one_row_alone(ablate, counted):
    found = ablate("components", "--row", "+ PSM")
    assert counted == ["+ PSM"]
    assert {row["name"]: row["status"] for row in found["rows"]} == {
        "baseline": "not run yet",
        "+ PSM": "done",
        "+ CLIP encoder": "needs CLIP weights: --clip DIR",
        "+ recipe": "not run yet",
        "+ cross-modal branch": "not run yet",
        "+ large": "not run yet",
    }
    ablate("components", "--row", "baseline", "--row", "+ PSM")
    assert counted == ["+ PSM", "baseline"]
    result = ablate("components", "--row", "+ everything", code=1)
    assert "components has no row '+ everything': its rows are baseline, + PSM, " in str(result.exception)


def test_an_unknown_table_is_refused(ablate):
    result = ablate("everything", code=1)
    assert isinstance(result.exception, ConfigError)
    assert "components, freezing, pretraining, peft, shapes" in str(result.exception)


def test_without_matplotlib_there_is_no_plot(ablate, monkeypatch, tmp_path, caplog):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert plot(None, tmp_path / "x.png") is False
    assert "matplotlib" in caplog.text


def test_real_words_are_trained_on_and_their_last_tenth_is_read(ablate, tmp_path):
    words = tmp_path / "words"
    words.mkdir()
    for i in range(40):
        Image.new("RGB", (60, 20), (6 * i, 100, 50)).save(words / f"{i}.png")
    (words / "labels.tsv").write_text("".join(f"{i}.png\tword{i}\n" for i in range(40)))
    found = ablate("pretraining", "--real", str(words), "--real-share", "1")
    assert found["settings"]["plain"] is False
    assert found["rows"][0]["status"] == "done"
    assert 4 <= found["n"] <= 4 + 6  # rendered words without a letter or digit do not count
    assert "words" in (tmp_path / "out" / "pretraining.md").read_text()
