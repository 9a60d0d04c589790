"""The paper's scale: rows as recipes, what they train by, and a table from recipes to scores."""

import dataclasses
import json
from functools import reduce
from operator import getitem

import pytest
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner

from wordsight.errors import ConfigError
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.freezing import freeze, trainable
from wordsight.models.parseq import Parseq
from wordsight.models.peft import add_peft
from wordsight.train import Recognition, WordsData
from wordsight.train.run import RecipeCLI, arguments
from wordsight_research.ablations.build import Scale
from wordsight_research.ablations.paper import Paper, recipe
from wordsight_research.ablations.rows import TABLES
from wordsight_research.cli.main import app


def recipes(table, tmp_path, **changes):
    paper = Paper((tmp_path,), tmp_path, devices=4, batch_size=64, **changes)
    scale = Scale("clip4str-b16", clip=tmp_path / "b", clip_large=tmp_path / "l")
    # 3.3 million words, as PARSeq's real set
    return {row.name: recipe(row, scale, paper, 0, 3_300_000, tmp_path / row.name) for row in TABLES[table]}


def of(made, *keys):
    return {name: tuple(reduce(getitem, path, one) for path in keys) for name, one in made.items()}


def test_components_train_as_in_the_paper(tmp_path):
    scale = Scale("clip4str-b16", clip=tmp_path / "b", clip_large=tmp_path / "l")
    with pytest.raises(ConfigError, match=r"\+ large: 7 devices cannot share a step of 960"):
        recipe(TABLES["components"][-1], scale, Paper((tmp_path,), tmp_path, devices=7), 0, 1, tmp_path)
    paper = Paper((tmp_path,), tmp_path, devices=4, batch_size=64)
    large = recipe(TABLES["components"][-1], scale, paper, 0, 3_300_000, tmp_path)
    assert (large["model"]["model"], large["model"]["optimiser"]["lr"], large["data"]["total_batch"]) == (
        "clip4str-l14",
        1.575e-4,
        960,
    )
    assert large["trainer"]["max_steps"] == round(10 * 3_300_000 / 960)
    assert large["model"]["start"] == str(tmp_path / "l")
    assert large["data"]["batch_size"] == 60  # a part of 960 crops
    made = {row.name: recipe(row, scale, paper, 0, 3_300_000, tmp_path) for row in TABLES["components"][:-1]}
    rates = of(
        made,
        ("model", "optimiser", "lr"),
        ("model", "optimiser", "decoder_lr_scale"),
        ("model", "optimiser", "weight_decay"),
    )
    assert rates["baseline"] == rates["+ PSM"] == (pytest.approx(1.98e-3, rel=1e-3), 1.0, 0.0)
    assert rates["+ CLIP encoder"] == (1.68e-4, 1.0, 0.0)
    assert rates["+ recipe"] == rates["+ cross-modal branch"] == (1.68e-4, 19.0, 0.2)
    steps = of(made, ("trainer", "max_steps"), ("data", "total_batch"))
    assert steps["baseline"] == (round(20 * 3_300_000 / 1024), 1024)
    assert steps["+ recipe"] == (round(16 * 3_300_000 / 1024), 1024)
    assert made["baseline"]["model"]["model"] == "parseq-small"
    assert made["baseline"]["model"]["objective"]["num_permutations"] == 1
    assert "num_permutations" not in made["+ PSM"]["model"]["objective"]
    crosses = {name: one["model"]["objective"].get("cross_from", "none at all") for name, one in made.items()}
    assert crosses["baseline"] == "none at all"  # a PARSeq
    assert (crosses["+ recipe"], crosses["+ cross-modal branch"]) == (None, 0)
    for one in made.values():
        data, trainer = one["data"], one["trainer"]
        assert (data["augmentation"], data["pool"], data["real_share"]) == ("randaugment", 1, 1.0)
        assert (one["model"]["objective"]["orders"], trainer["devices"], trainer["strategy"]) == ("part", 4, "ddp")
        assert (trainer["gradient_clip_val"], trainer["precision"]) == (20.0, "bf16-mixed")


def test_adapters_learn_at_the_authors_rates(tmp_path):
    made = recipes("peft", tmp_path)
    rates = of(made, ("model", "optimiser", "lr"), ("model", "optimiser", "decoder_lr_scale"))
    assert rates["LST r=4"] == rates["LST r=2"] == (pytest.approx(2.26e-3, rel=2e-3), 19.0)
    assert rates["CLIP-Adapter"] == (pytest.approx(3.19e-3, rel=1e-3), 1.0)  # all new weights as the decoders
    assert rates["full"] == (1.68e-4, 19.0)
    assert made["LST r=2"]["model"]["freezing"]["peft"]["reduction"] == 2


def test_rows_of_freezing_train_as_many_weights_as_the_paper_prints(tmp_path):
    """The encoders' of B/16, in millions (spec 3.3)."""
    printed = {"text 0": 149.6, "text 3": 114.8, "text 6": 105.4, "text 9": 95.9, "text 12": 86.2, "text token": 86.2}
    printed |= {"image 0": 105.4, "image 3": 84.0, "image 6": 62.7, "image 9": 41.4, "image 12": 19.2}
    with torch.device("meta"):
        for name, one in recipes("freezing", tmp_path).items():
            cfg = CLIP4STR_PRESETS["clip4str-b16"]
            text, image = one["model"]["freezing"]["text_layers"], one["model"]["freezing"]["image_layers"]
            if text == "token":
                cfg = dataclasses.replace(cfg, text=dataclasses.replace(cfg.text, embedding_only=True))
            model = Clip4Str(cfg)
            freeze(model, cfg.text.layers if text == "token" else text, image)
            towers = trainable(model.image_tower) + trainable(model.text_tower)
            assert towers / 1e6 == pytest.approx(printed[name], abs=0.06), name
            assert trainable(model.cross_decoder) + trainable(model.visual_decoder) == pytest.approx(8.64e6, rel=1e-3)


class Parsed(RecipeCLI):
    """Builds everything and trains nothing."""

    def _run_subcommand(self, subcommand):
        pass


def test_recipes_are_recipes(tmp_path):
    """What is written is what `wordsight train` takes, key for key."""
    flags = [
        "--model.start=null",
        "--trainer.accelerator=cpu",
        "--trainer.precision=32-true",
        "--trainer.strategy=auto",
    ]
    rows = {"baseline": Parseq, "+ recipe": Clip4Str, "LST r=4": Clip4Str, "image 3": Clip4Str, "text token": Clip4Str}
    tables = {row.name: row for table in ("components", "peft", "freezing") for row in TABLES[table]}
    for name, kind in rows.items():
        paper = Paper((tmp_path,), tmp_path, devices=1, batch_size=64)
        content = recipe(tables[name], Scale("clip4str-b16", clip=tmp_path), paper, 3, 1000, tmp_path)
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
        with torch.device("meta"):
            run = Parsed(Recognition, WordsData, args=arguments(tmp_path / "recipe.yaml", flags))
        assert isinstance(run.model.model, kind)
        assert (run.model.objective.orders, run.model.seed, run.datamodule.total_batch) == ("part", 3, 1024)
        assert (getattr(run.model.model, "peft", None) is None) == (name != "LST r=4")


def test_adapters_of_a_recipe_are_those_of_the_row(tmp_path):
    peft = next(row.peft for row in TABLES["peft"] if row.name == "LST r=4")
    with torch.device("meta"):
        model = Clip4Str(CLIP4STR_PRESETS["clip4str-b16"])
        add_peft(model, peft)
    assert trainable(model.image_tower) / 1e6 == pytest.approx(4.10, abs=0.005)


@pytest.fixture
def field(tmp_path):
    """Words to train on, and two of the field's sets."""
    for folder, count in (("real", 30), ("field/SVT", 5), ("field/CUTE80", 4)):
        words = tmp_path / folder
        words.mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (60, 20), (6 * i, 100, 50)).save(words / f"{i}.png")
        (words / "labels.tsv").write_text("".join(f"{i}.png\tword{i}\n" for i in range(count)))
    return tmp_path


def ablate(field, *flags, code=0):
    sizes = ["--paper", "--real", str(field / "real"), "--benchmarks", str(field / "field"), "--model", "clip4str-tiny"]
    result = CliRunner().invoke(app, ["ablate", "pretraining", "-o", str(field / "out"), *sizes, *flags])
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads((field / "out" / "pretraining.json").read_text()) if code == 0 else result


def test_recipes_are_there_before_anything_is_trained(field):
    found = ablate(field, "--budget", "0", "--steps", "7")
    assert found["rows"][0]["status"] == "not run yet"
    assert found["sets"] == {"SVT": 5, "CUTE80": 4}
    written = yaml.safe_load((field / "out" / "recipes" / "pretraining-random-0.yaml").read_text())
    assert written["trainer"]["max_steps"] == 7
    said = (field / "out" / "pretraining.md").read_text()
    assert "| random | clip4str-tiny | 0.000168 | 0.000168 | 0 | 1024 = 1 x 128 x 8 | 7 |" in said
    assert "RandAugment, words of all lengths in a step" in said
    assert "--paper" not in said
    for flags, message in ((["--benchmarks", "x"], "give --paper"), (["--paper"], "trains on --real")):
        result = CliRunner().invoke(app, ["ablate", "pretraining", "-o", str(field / "out"), *flags])
        assert isinstance(result.exception, ConfigError)
        assert message in str(result.exception)
    result = CliRunner().invoke(
        app,
        ["ablate", "shapes", "--paper", "--real", str(field / "real"), "--benchmarks", str(field / "field")],
    )
    assert "the paper has no table 'shapes'" in str(result.exception)


@pytest.mark.slow
def test_a_row_from_recipe_to_score(field, monkeypatch):
    """A step of 1024 crops in a process of its own, then scored set by set; the next call finds it done."""
    flags = ("--steps", "1", "--workers", "0", "--batch-size", "64")
    found = ablate(field, *flags)
    row = found["rows"][0]
    assert (row["status"], row["seeds"][0]["steps"]) == ("done", 1)
    assert row["sets"] == {"SVT": 0.0, "CUTE80": 0.0}
    assert 0 < row["seeds"][0]["loss"] < 100
    assert row["seeds"][0]["seconds"] > 0
    monkeypatch.setattr("subprocess.run", lambda *_: pytest.fail("it was trained again"))
    assert ablate(field, *flags)["rows"][0] == row
