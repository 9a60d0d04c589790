import csv
import dataclasses
import json
import math

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip4str import config as presets
from wordsight.models.config import DecoderConfig, ImageTowerConfig
from wordsight.train.module import Recognition, warmup_stable_decay


def test_schedule_rises_stays_and_falls():
    factors = [warmup_stable_decay(step, 4, 80, 100) for step in range(101)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(factors[4:81]) == {1.0}
    assert factors[90] == pytest.approx(0.5)
    assert factors[100] == 0.0


@pytest.fixture
def small(monkeypatch):
    """A preset that trains in milliseconds a step, with dropout, so that its randomness is tested too."""
    cfg = presets.clip4str_preset("clip4str-tiny")
    image = ImageTowerConfig(32, 128, patch=(16, 16), class_token=False, width=32, layers=1, heads=2, dropout=0.1)
    text = dataclasses.replace(cfg.text, width=32, layers=1, heads=2)
    cfg = dataclasses.replace(cfg, image=image, text=text, decoder=DecoderConfig(heads=2, dropout=0.1), embed_dim=32)
    monkeypatch.setitem(presets.CLIP4STR_PRESETS, "clip4str-test", cfg)
    stem = dataclasses.replace(image, stem=((16, 4, 4), (32, 4, 4)))
    monkeypatch.setitem(presets.CLIP4STR_PRESETS, "clip4str-test-stem", dataclasses.replace(cfg, image=stem))


@pytest.fixture
def words(tmp_path):
    """Ten real crops."""
    folder = tmp_path / "words"
    folder.mkdir()
    for i in range(10):
        Image.new("RGB", (60, 20), (25 * i, 100, 50)).save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\tword{i}\n" for i in range(10)))
    return folder


@pytest.fixture
def train(small, words, tmp_path, request):
    """Runs `wordsight train` on the recipe of this repository, made small."""
    recipe = request.config.rootpath / "recipes" / "tiny.yaml"

    def run(name, *flags):
        folder = tmp_path / name
        arguments = ["train", str(recipe), "--model.model=clip4str-test", f"--data.real=[{words}]"]
        arguments += ["--data.batch_size=4", "--data.pool=2", "--trainer.val_check_interval=2", "--model.warmup=2"]
        arguments += [
            "--trainer.enable_progress_bar=false",
            "--trainer.log_every_n_steps=1",
            "--trainer.accelerator=cpu",
        ]
        arguments += [f"--trainer.default_root_dir={folder}", "--model.cross_from=0"]
        result = CliRunner().invoke(app, [*arguments, *flags], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return folder

    return run


def weights(folder):
    return checkpoint.load(folder / "model")[0].state_dict()


def test_a_resumed_run_ends_as_one_that_was_never_interrupted(train):
    through = train("through", "--trainer.max_steps=6", "--model.cross_from=3")
    train("halves", "--trainer.max_steps=4", "--model.cross_from=3")
    halves = train(
        "halves", "--trainer.max_steps=6", "--model.cross_from=3", f"--ckpt_path={through.parent}/halves/last.ckpt"
    )
    expected, found = weights(through), weights(halves)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_a_resumed_run_obeys_its_own_flags(train):
    folder = train("run", "--trainer.max_steps=2", "--model.cross_from=99")
    assert checkpoint.load(folder / "model")[1]["cross"] is False
    train("run", "--trainer.max_steps=4", "--model.cross_from=3", f"--ckpt_path={folder / 'last.ckpt'}")
    about = checkpoint.load(folder / "model")[1]
    assert (about["steps"], about["cross"]) == (4, True)
    assert sorted(path.name for path in folder.glob("*.ckpt")) == ["last.ckpt"]


def test_a_run_leaves_a_model_logs_and_its_configuration(train):
    folder = train("run", "--trainer.max_steps=4", "--model.decay=2")
    model, about = checkpoint.load(folder / "model")
    assert model.cfg.embed_dim == 32
    assert about["steps"] == 4
    assert about["cross"] is True
    assert 0 <= about["validation_accuracy"] <= 100
    assert about["data"] == {"real": ["words"], "real_share": 0.25, "word_lists": [], "batch_size": 4}
    (metrics,) = folder.rglob("metrics.csv")
    rows = list(csv.DictReader(metrics.open()))
    losses = [float(row["train/loss"]) for row in rows if row.get("train/loss")]
    assert len(losses) == 4
    assert all(math.isfinite(loss) for loss in losses)
    assert list(folder.rglob("events.out.tfevents.*"))
    assert "clip4str-test" in next(folder.rglob("config.yaml")).read_text()


def test_cross_branch_begins_as_a_copy_of_the_visual_one(train):
    before = train("before", "--trainer.max_steps=3", "--model.cross_from=3")
    state = weights(before)
    assert not torch.equal(state["cross_decoder.head.weight"], state["visual_decoder.head.weight"])
    assert json.loads((before / "model" / "config.json").read_text())["about"]["cross"] is True

    module = Recognition("clip4str-test", cross_from=1)
    assert module.cross is False  # step 0


def test_a_new_run_can_start_from_trained_weights(train):
    first = train("first", "--trainer.max_steps=2")
    second = train("second", "--trainer.max_steps=1", f"--model.start={first / 'model'}", "--model.lr=0")
    for (name, a), b in zip(weights(first).items(), weights(second).values(), strict=True):
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(a, b), name


def test_a_loss_that_is_no_number_stops_the_run(train):
    with pytest.raises(ConfigError, match="lower the learning rate"):
        train("diverged", "--trainer.max_steps=30", "--model.lr=1e30", "--trainer.gradient_clip_val=null")
