import csv
import dataclasses
import json
import math

import pytest
import torch
from small_runs import tiny_config, weights
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.config import DecoderConfig, TextTowerConfig
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight.models.registry import PRESETS
from wordsight.train import Recognition
from wordsight.train.config import FreezingConfig, ObjectiveConfig
from wordsight.train.schedules import one_cycle, warmup_stable_decay
from wordsight.train.start import starting_model


def test_schedule_rises_stays_and_falls():
    factors = [warmup_stable_decay(step, 4, 80, 100) for step in range(101)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(factors[4:81]) == {1.0}
    assert factors[90] == pytest.approx(0.5)
    assert factors[100] == 0.0


def test_one_cycle_is_that_of_the_released_training():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=200, pct_start=0.075)
    for step in range(200):
        assert one_cycle(step, 200) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        if step < 199:
            theirs.step()
    assert one_cycle(15_000, 200) == pytest.approx(4e-6)


@pytest.fixture
def small(monkeypatch):
    """A preset that trains in milliseconds a step, with dropout, so that its randomness is tested too."""
    monkeypatch.setitem(PRESETS, "clip4str-test", (Clip4Str, tiny_config(dropout=0.1)))


@pytest.fixture
def train(small, words, tmp_path, request):
    """Runs `wordsight train` on the recipe of this repository, made small."""
    recipe = request.config.rootpath / "recipes" / "clip4str" / "small.yaml"

    def run(name, *flags):
        folder = tmp_path / name
        arguments = ["train", str(recipe), "--model.model=clip4str-test", f"--data.real=[{words}]"]
        arguments += [
            "--data.batch_size=4",
            "--data.pool=2",
            "--trainer.val_check_interval=2",
            "--model.optimiser.warmup=2",
        ]
        arguments += [
            "--trainer.enable_progress_bar=false",
            "--trainer.log_every_n_steps=1",
            "--trainer.accelerator=cpu",
        ]
        arguments += [
            f"--trainer.default_root_dir={folder}",
            "--model.objective.cross_from=0",
            "--model.optimiser.ema=0",
        ]
        arguments += ["--model.optimiser.decay=0", "--data.real_share=0.25"]
        result = CliRunner().invoke(app, [*arguments, *flags], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return folder

    return run


def test_a_resumed_run_ends_as_one_that_was_never_interrupted(train):
    through = train("through", "--trainer.max_steps=6", "--model.objective.cross_from=3")
    train("halves", "--trainer.max_steps=4", "--model.objective.cross_from=3")
    halves = train(
        "halves",
        "--trainer.max_steps=6",
        "--model.objective.cross_from=3",
        f"--ckpt_path={through.parent}/halves/last.ckpt",
    )
    expected, found = weights(through), weights(halves)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_a_resumed_run_obeys_its_own_flags(train):
    folder = train("run", "--trainer.max_steps=2", "--model.objective.cross_from=99")
    assert checkpoint.load(folder / "model")[1]["cross"] is False
    train("run", "--trainer.max_steps=4", "--model.objective.cross_from=3", f"--ckpt_path={folder / 'last.ckpt'}")
    about = checkpoint.load(folder / "model")[1]
    assert (about["steps"], about["cross"]) == (4, True)
    assert sorted(path.name for path in folder.glob("*.ckpt")) == ["last.ckpt"]


def test_a_resumed_run_has_its_own_learning_rate(train):
    folder = train("run", "--trainer.max_steps=2")
    before = weights(folder)
    train("run", "--trainer.max_steps=4", "--model.optimiser.lr=0", f"--ckpt_path={folder / 'last.ckpt'}")
    after = weights(folder)
    assert checkpoint.load(folder / "model")[1]["steps"] == 4
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_run_leaves_a_model_logs_and_its_configuration(train):
    folder = train("run", "--trainer.max_steps=4", "--model.optimiser.decay=2")
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
    before = train("before", "--trainer.max_steps=3", "--model.objective.cross_from=3")
    state = weights(before)
    assert not torch.equal(state["cross_decoder.head.weight"], state["visual_decoder.head.weight"])
    assert json.loads((before / "model" / "config.json").read_text())["about"]["cross"] is True

    module = Recognition("clip4str-test", objective=ObjectiveConfig(cross_from=1))
    assert module.cross is False  # step 0


def test_a_new_run_can_start_from_trained_weights(train):
    first = train("first", "--trainer.max_steps=2")
    second = train("second", "--trainer.max_steps=1", f"--model.start={first / 'model'}", "--model.optimiser.lr=0")
    for (name, a), b in zip(weights(first).items(), weights(second).values(), strict=True):
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(a, b), name


def test_a_loss_that_is_no_number_stops_the_run_and_names_its_samples(train, tmp_path):
    with pytest.raises(ConfigError, match="lower the learning rate") as caught:
        train("diverged", "--trainer.max_steps=30", "--model.optimiser.lr=1e30", "--trainer.gradient_clip_val=null")
    (file,) = (tmp_path / "diverged").glob("bad-batch-*.json")
    assert str(file) in str(caught.value)
    found = json.loads(file.read_text())
    assert f"at step {found['step']}:" in str(caught.value)
    assert len(found["samples"]) == 4
    assert all(name.startswith(("words/", "street/synth-")) for name in found["samples"])
    for kept in tmp_path.glob("diverged/*.ckpt"):
        state = torch.load(kept, weights_only=True)["state_dict"]
        assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_spoilt_weights_are_never_written(train_here, tmp_path, monkeypatch):
    """An infinite gradient of a finite loss, in the step after which a checkpoint is due."""

    def spoil(self, optimizer):
        if self.global_step == 3:
            self.model.visual_decoder.head.bias.grad[0] = math.nan

    monkeypatch.setattr(Recognition, "on_before_optimizer_step", spoil)
    with pytest.raises(ConfigError, match=r"is not finite after step 4: lower the learning rate"):
        train_here("spoilt", "--trainer.max_steps=6")
    assert torch.load(tmp_path / "spoilt" / "last.ckpt", weights_only=True)["global_step"] == 2


def test_epochs_and_the_size_of_a_step_decide_how_many_there_are(train_here):
    flags = ["--data.total_batch=12", "--data.batch_size=4", "--data.epochs=2", "--trainer.max_steps=-1"]
    folder = train_here("run", *flags, "--model.optimiser.schedule=one-cycle")
    assert checkpoint.load(folder / "model")[1]["steps"] == 6  # twice 36 words, the other four of 40 being held out
    (metrics,) = folder.rglob("metrics.csv")
    rows = list(csv.DictReader(metrics.open()))
    assert [int(row["step"]) for row in rows if row["val/accuracy"]] == [1, 3, 5]  # every second step of three batches


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data.total_batch=10"], "no multiple of batch_size 4 x 1 devices"),
        (["--data.total_batch=2"], "no multiple of batch_size 4 x 1 devices"),
        (["--data.total_batch=8", "--trainer.accumulate_grad_batches=2"], "leave the latter out"),
        (["--model.optimiser.schedule=one-cycle", "--trainer.max_steps=-1"], "needs a length"),
        (["--data.real=[]"], "needs real words"),
        (["--data.real_share=1.5"], "real_share is 1.5"),
    ],
)
def test_settings_that_contradict_each_other(train_here, flags, message):
    with pytest.raises(ConfigError, match=message):
        train_here("run", *flags)


def small_clip(width=32):
    """CLIP towers of the size of `tiny_config`, but for their text."""
    image = dataclasses.replace(tiny_config().image, class_token=True, heads=4, activation="quickgelu")
    return Clip(ClipConfig(image, TextTowerConfig(49408, 77, width, layers=1, heads=4), 32))


@pytest.fixture
def on_clip(monkeypatch):
    """A preset that wants such towers: the official sizes, made small."""
    cfg, towers = CLIP4STR_PRESETS["clip4str-b16"], small_clip().cfg
    image = dataclasses.replace(towers.image, heads=2)
    cfg = dataclasses.replace(cfg, image=image, text=towers.text, embed_dim=32, decoder=DecoderConfig(heads=2))
    monkeypatch.setitem(PRESETS, "clip4str-test", (Clip4Str, cfg))


def test_a_run_can_start_from_clip(on_clip, tmp_path):
    clip = small_clip()
    checkpoint.save(clip, tmp_path / "clip")
    model = starting_model("clip4str-test", tmp_path / "clip")
    assert model.cfg.image.heads == 4  # what weights were trained with, not what the preset says
    assert model.cfg.captions == "clip"
    state = model.state_dict()
    for name, tensor in clip.state_dict().items():
        assert name == "logit_scale" or torch.equal(state[name], tensor), name


def test_a_run_from_clip_normalises_as_it_does(on_clip, tmp_path):
    towers = Clip(dataclasses.replace(small_clip().cfg, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3)))
    checkpoint.save(towers, tmp_path / "clip")
    found = starting_model("clip4str-test", tmp_path / "clip").cfg.preprocessing
    assert (found.mean, found.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))


def test_clip_of_another_size_is_refused(on_clip, tmp_path):
    checkpoint.save(small_clip(width=64), tmp_path / "clip")
    with pytest.raises(ConfigError, match=r"clip holds towers with width 64, clip4str-test has 32: choose the preset"):
        starting_model("clip4str-test", tmp_path / "clip")
    with pytest.raises(ModelError, match="not a checkpoint folder"):
        starting_model("clip4str-test", tmp_path / "nothing")


def test_a_run_can_start_from_another_vision_transformer(on_clip, tmp_path):
    towers = small_clip().cfg
    cfg = ParseqConfig(
        image=towers.image,
        decoder=DecoderConfig(heads=2),
        embed_dim=48,
        charset=tiny_config().charset,
        mean=(0.1, 0.2, 0.3),
    )
    parseq = Parseq(cfg)
    checkpoint.save(parseq, tmp_path / "vit")
    model = starting_model("clip4str-test", tmp_path / "vit")
    assert torch.equal(model.image_tower.blocks[0].mlp[0].weight, parseq.image_tower.blocks[0].mlp[0].weight)
    assert model.image_tower.projection.shape == (32, 32)
    assert model.cfg.mean == (0.1, 0.2, 0.3)


def test_frozen_layers_are_named_by_the_recipe(on_clip, tmp_path):
    module = Recognition("clip4str-test", freezing=FreezingConfig("token", image_layers=0))
    assert module.model.cfg.text.embedding_only
    assert [n for n, p in module.model.text_tower.named_parameters() if p.requires_grad] == []
    assert not module.model.image_tower.class_embedding.requires_grad
    everything = Recognition("clip4str-test")
    assert all(parameter.requires_grad for parameter in everything.parameters())


def test_weights_that_are_frozen_do_not_change(train_here, tmp_path):
    folder = train_here(
        "run", "--model.freezing.text_layers=0", "--model.freezing.image_layers=9", "--model.optimiser.lr=1e-2"
    )
    before, after = checkpoint.load(tmp_path / "start")[0].state_dict(), weights(folder)
    same = {name for name, tensor in before.items() if torch.equal(tensor, after[name])}
    frozen = {name for name in before if name.startswith("image_tower.")}
    assert same >= frozen | {"text_tower.token_embedding.weight", "text_tower.positional_embedding"}
    assert "text_tower.blocks.0.mlp.0.weight" not in same
