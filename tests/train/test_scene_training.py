"""The second stage: a recognizer that has been trained learns to use the scenes of its words."""

import csv
import json
import logging

import numpy as np
import pytest
import torch
from coloured_scenes import COLOURS, small_presets, write_scenes
from PIL import Image
from safetensors.torch import load_file
from small_runs import assert_same, weights
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data import Mixture, ScenesSource, SkipBroken, View
from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing
from wordsight.models import checkpoint
from wordsight.models.clipter import ClipterConfig
from wordsight.models.clipter.scene import SceneEncoder, untrained
from wordsight.models.registry import PRESETS
from wordsight.text import Charset, CharTokenizer
from wordsight.train import Recognition
from wordsight.train.batches import Batches
from wordsight.train.config import OptimiserConfig, SceneConfig
from wordsight.train.gates import GateWatch
from wordsight.train.scene_cache import SceneCache
from wordsight.train.scenes import SceneBatch

CLIPTER = {"encoder": "random", "scene_dim": 128, "kernel": 2}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Runs `wordsight train` for a small recognizer, from a checkpoint of its own kind; returns the run's folder."""

    def run(name, data, *flags, model="parseq-test", dropout=0.0, **clipter):
        for preset, (kind, cfg) in small_presets(dropout).items():
            monkeypatch.setitem(PRESETS, preset, (kind, cfg))
        kind, cfg = PRESETS[model]
        torch.manual_seed(0)
        checkpoint.save(kind(cfg), tmp_path / f"start-{model}")
        recipe = tmp_path / "recipe.json"
        trainer = {"accelerator": "cpu", "max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
        trainer |= {"max_steps": 4, "val_check_interval": 2, "enable_progress_bar": False, "log_every_n_steps": 1}
        trainer |= {"default_root_dir": str(tmp_path / name), "enable_model_summary": False}
        given = {"model": model, "start": str(tmp_path / f"start-{model}"), "optimiser": {"lr": 3e-3, "warmup": 2}}
        settings = {"real": [str(path) for path in data], "real_share": 1.0, "batch_size": 8, "pool": 1, "workers": 0}
        given |= {"clipter": CLIPTER | clipter}
        recipe.write_text(json.dumps({"model": given, "data": settings, "trainer": trainer}))
        result = CliRunner().invoke(app, ["train", str(recipe), *flags], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        (tmp_path / name / "said").write_text(result.output)
        return tmp_path / name

    return run


def logged(folder, name):
    (metrics,) = folder.rglob("metrics.csv")
    return [float(row[name]) for row in csv.DictReader(metrics.open()) if row.get(name)]


def test_what_only_the_scene_tells_is_learnt(train, tmp_path):
    seen, unseen = write_scenes(tmp_path / "seen", 16), write_scenes(tmp_path / "unseen", 8, first=100)
    flags = ["--trainer.max_steps=240", "--trainer.val_check_interval=240", "--trainer.log_every_n_steps=40"]
    flags += [f"--data.validation=[{seen}, {unseen}]", f"--model.scene_cache={tmp_path / 'tokens'}"]
    folder = train("run", [seen], *flags, gate_lr_scale=5.0)
    assert logged(folder, "val/accuracy") == [100.0]
    assert logged(folder, "val/accuracy.null")[0] <= 100 / len(COLOURS)
    assert logged(folder, "val/scenes") == logged(folder, "val/words") == [24.0]
    gates = logged(folder, "train/gate")
    assert len(gates) == 6
    assert abs(gates[-1]) > 0.05
    model, about = checkpoint.load(folder / "model")
    assert about["scenes"]["encoder"] == SceneEncoder.of(model.clipter).identity
    found = about["scenes"]["accuracy"]
    assert found["with"] == 100.0
    assert found["without"] <= 100 / len(COLOURS)
    assert found["stage_one"] == 0.0
    assert about["scenes"]["available"] == "24/24"
    said = f"with scenes 100.00 %, without {found['without']:.2f} %, stage one 0.00 % of the validation words"
    assert f"{said}; scene available 24/24" in (folder / "said").read_text()
    names = set(load_file(folder / "model" / "model.safetensors"))
    assert any(name.startswith("fusions.early.") for name in names)
    assert names == set(model.state_dict())  # nothing of the encoder
    assert len(list((tmp_path / "tokens").rglob("*.npz"))) == 24
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    assert {name.removeprefix("model.") for name in state} == names


def test_a_resumed_run_with_scenes_ends_as_one_that_was_never_interrupted(train, tmp_path):
    """With what is random about scenes, cold and warm caches, and processes that read."""
    data = [write_scenes(tmp_path / "s", 12, words=2)]
    flags = [
        "--data.scene.dropout=0.3",
        "--data.scene.box_jitter=0.1",
        "--data.scene.box_padding=0.2",
        "--data.workers=1",
    ]
    through = train("through", data, *flags, dropout=0.1, box=True)
    cached = [*flags, f"--model.scene_cache={tmp_path / 'tokens'}"]
    train("halves", data, *cached, "--trainer.max_steps=2", dropout=0.1, box=True)
    halves = train("halves", data, *cached, f"--ckpt_path={tmp_path / 'halves' / 'last.ckpt'}", dropout=0.1, box=True)
    assert_same(weights(halves), weights(through))
    assert weights(through)["fusions.early.gate.alpha"].item() != 0.0
    other = train("other", data, *flags, "--data.scene.dropout=0.6", dropout=0.1, box=True)
    assert not torch.equal(weights(other)["fusions.early.gate.alpha"], weights(through)["fusions.early.gate.alpha"])


def test_a_step_with_scenes_is_the_same_in_parts(train, tmp_path):
    data = [write_scenes(tmp_path / "s", 12, words=2)]
    whole = train("whole", data, "--data.scene.dropout=0.3")
    parts = train("parts", data, "--data.scene.dropout=0.3", "--data.batch_size=2", "--data.total_batch=8")
    assert_same(weights(parts), weights(whole), 5e-6)


@pytest.mark.parametrize("place", ["early", "late"])
@pytest.mark.parametrize("model", ["parseq-test", "crnn-test", "vitstr-test"])
def test_any_recognizer_can_be_told(train, tmp_path, model, place):
    data = [write_scenes(tmp_path / "s", 12)]
    folder = train("run", data, "--trainer.max_steps=2", model=model, place=place)
    trained, about = checkpoint.load(folder / "model")
    assert trained.clipter.place == place
    assert about["steps"] == 2
    assert len(logged(folder, "val/accuracy.null")) == 1
    alpha = [value for name, value in trained.state_dict().items() if name.endswith("gate.alpha")]
    assert alpha
    assert all(value.item() != 0.0 for value in alpha)


def test_archives_without_scenes_are_mixed_in(train, words, tmp_path):
    data = [write_scenes(tmp_path / "s", 12), words]
    folder = train("run", data, "--data.validation_share=0.25")
    usable = 24  # of the forty words of one to ten characters, those of up to six
    assert logged(folder, "val/scenes") == [3.0, 3.0]
    assert logged(folder, "val/words") == [3.0 + usable // 4] * 2
    assert np.isfinite(logged(folder, "train/loss")).all()


def test_a_run_goes_on_from_a_recognizer_that_hears_of_scenes(train, tmp_path):
    data = [write_scenes(tmp_path / "s", 12)]
    first = train("first", data)
    second = train("second", data, f"--model.start={first / 'model'}", "--model.clipter=null", "--model.optimiser.lr=0")
    assert_same(weights(second), weights(first))
    about = checkpoint.load(second / "model")[1]
    assert about["scenes"]["accuracy"].keys() == {"with", "without"}
    with pytest.raises(ConfigError, match="already takes scenes"):
        train("third", data, f"--model.start={first / 'model'}")


def test_options_of_one_recognizer_are_refused_by_another(train, tmp_path):
    data = [write_scenes(tmp_path / "s", 4)]
    with pytest.raises(
        ConfigError, match=r"model\.objective\.cross_from, model\.compile: for CLIP4STR alone, and crnn-test is a"
    ):
        train("run", data, "--model.compile=true", "--model.objective.cross_from=3", model="crnn-test")
    with pytest.raises(ConfigError, match="holds a crnn, parseq-test is a parseq: choose a preset"):
        train("run", data, f"--model.start={tmp_path / 'start-crnn-test'}")
    with pytest.raises(ConfigError, match=r"scene\.dropout is a probability"):
        train("run", data, "--data.scene.dropout=1.5")


def batches(source, *, parts=1, batch_size=8, conditioned=True, **scene):
    mixture = Mixture([SkipBroken(View(source, range(len(source))))], [1.0], seed=3)
    tokenizer = CharTokenizer(Charset.preset("36"))
    more = {"scene": SceneConfig(**scene), "conditioned": conditioned}
    return Batches(
        mixture, frozenset([0]), tokenizer, Preprocessing(32, 128), batch_size, 2, parts, lambda image, _: image, **more
    )


@pytest.fixture
def source(tmp_path):
    return ScenesSource(write_scenes(tmp_path / "scenes", 8, words=2))


def test_a_batch_holds_each_scene_once(source):
    for number in range(4):
        batch = batches(source)[number]
        part = batch.scenes
        files = [sample.split("#")[0].split("/")[1] for sample in batch.samples]
        assert [part.views[i].scene.image.name for i in part.index] == files
        assert len(part.views) == len(set(files))
        assert part.present.tolist() == [1.0] * 8
        assert {round(box[1].item(), 3) for box in part.boxes} <= {round(26 / 64, 3), round(46 / 64, 3)}
    assert batches(source, conditioned=False)[0].scenes is None


def test_scene_dropout_is_a_function_of_seed_and_sample(source):
    dropping = batches(source, dropout=0.4)
    first = torch.stack([dropping[i].scenes.present for i in range(60)])
    again = batches(source, dropout=0.4)
    for i in (7, 0, 59):
        assert torch.equal(again[i].scenes.present, first[i])
    assert 0.5 < first.mean() < 0.7
    assert len({tuple(row) for row in first.tolist()}) > 20
    halves = batches(source, parts=2, batch_size=4, dropout=0.4)
    for step in range(10):
        both = [halves[2 * step].scenes, halves[2 * step + 1].scenes]
        assert sum(part.available for part in both) == first[step].sum()
    assert torch.equal(dropping[3].images, batches(source)[3].images)
    nothing = batches(source, dropout=1.0)[0].scenes
    assert (nothing.views, nothing.available) == ((), 0)


def test_other_boxes_change_the_crop_and_where_it_is_said_to_be(source):
    plain, padded = batches(source)[0], batches(source, box_padding=0.5, box_jitter=0.05)[0]
    assert not torch.equal(plain.images, padded.images)
    assert (padded.scenes.boxes[:, 2:] > plain.scenes.boxes[:, 2:]).float().mean() > 0.8
    assert torch.equal(padded.images, batches(source, box_padding=0.5, box_jitter=0.05)[0].images)


def test_a_control_changes_only_the_scenes_of_a_batch(source):
    other = ScenesSource(source.scenes[0].image.parent)
    other.show("shuffle")
    for i in range(3):
        a, b = batches(source, box_padding=0.2)[i], batches(other, box_padding=0.2)[i]
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.targets, b.targets)
        assert torch.equal(a.scenes.boxes, b.scenes.boxes)
        assert a.samples == b.samples
        own, shown = ([part.views[k].key for k in part.index] for part in (a.scenes, b.scenes))
        assert all(x != y for x, y in zip(own, shown, strict=True))


@pytest.mark.parametrize("mode", ["shuffle", "gray", "none", "random-encoder"])
def test_a_run_under_a_control(train, tmp_path, mode):
    data = [write_scenes(tmp_path / "s", 12)]
    folder = train("run", data, f"--data.scene.mode={mode}", "--trainer.max_steps=2")
    _, about = checkpoint.load(folder / "model")
    assert about["data"]["scene"] == mode
    assert about["scenes"]["available"] == ("0/1" if mode == "none" else "1/1")


def cached(folder=None):
    return SceneCache(SceneEncoder.of(ClipterConfig(**CLIPTER)), folder=folder)


def test_tokens_are_the_encoders_however_they_come(source, tmp_path):
    part = batches(source)[0].scenes
    scenes = cached(tmp_path / "t")
    first = part.encoded(scenes)
    expected = scenes.encoder.encode([view.load() for view in part.views])
    torch.testing.assert_close(first.tokens, expected, atol=2e-3, rtol=2e-3)  # float16
    assert first.tokens.dtype == torch.float32
    for other in (scenes, cached(tmp_path / "t"), cached()):
        assert torch.equal(part.encoded(other).tokens, first.tokens)
    assert torch.equal(first.index, part.index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(part.encoded(cached()).tokens, first.tokens)
    random = SceneCache(untrained(scenes.encoder, seed=1))
    assert random.encoder.identity != scenes.encoder.identity
    assert part.encoded(random).tokens.shape == first.tokens.shape
    assert not torch.equal(part.encoded(random).tokens, first.tokens)


def test_a_scene_that_cannot_be_read_is_the_null_scene(source, caplog):
    part = batches(source)[0].scenes
    gone = part.views[1]
    whole = part.encoded(cached())
    gone.scene.image.write_bytes(b"no picture")
    context = part.encoded(cached())
    lost = part.index == 1
    assert context.present.tolist() == [0.0 if row else 1.0 for row in lost]
    assert len(context.tokens) == len(part.views) - 1
    for row in range(8):
        if not lost[row]:
            assert torch.equal(context.tokens[context.index[row]], whole.tokens[whole.index[row]])
    assert "no scene: " in caplog.text
    nothing = SceneBatch.of([None, None]).encoded(cached())
    assert nothing.tokens.shape == (1, 1, 128)
    assert nothing.present.tolist() == [0.0, 0.0]


class _Trainer:
    global_step = 0


def watch(values, caplog, model):
    """What `GateWatch` says of a gate that goes through these values."""
    module = Recognition(model, clipter=ClipterConfig(**CLIPTER))
    module.log = lambda *_, **__: None
    watching, trainer = GateWatch(), _Trainer()
    with caplog.at_level(logging.WARNING):
        for step, value in enumerate(values, start=1):
            module.model.fusions["early"].gate.alpha.data.fill_(np.arctanh(value))
            trainer.global_step = step
            watching.on_train_batch_end(trainer, module, None, None, 0)
        watching.on_train_end(trainer, module)
    return caplog.text


def test_gates_that_fail_are_warned_of(caplog, monkeypatch):
    for preset, made in small_presets().items():
        monkeypatch.setitem(PRESETS, preset, made)
    slow = [0.0039 * step for step in range(120)]  # 0.195 in 50 steps
    assert watch(slow, caplog, "parseq-test") == ""
    assert "does not listen" in watch([0.001] * 10, caplog, "parseq-test")
    caplog.clear()
    jumps = [*[0.05] * 70, *[0.3] * 10]
    text = watch(jumps, caplog, "parseq-test")
    assert text.count("gate moved by 0.25 within 50 steps") == 1
    caplog.clear()
    assert "moved" not in watch([*[0.05] * 70, *np.linspace(0.05, 0.24, 10)], caplog, "parseq-test")


def test_the_gate_learns_apart(monkeypatch):
    for preset, made in small_presets().items():
        monkeypatch.setitem(PRESETS, preset, made)
    for name in small_presets():
        module = Recognition(
            name, clipter=ClipterConfig(**CLIPTER, gate_lr_scale=7.0), optimiser=OptimiserConfig(0.01, 2.0)
        )
        (group,) = [g for g in module.model.param_groups(0.01, 2.0, 0.1) if g.get("gate")]
        assert (group["weight_decay"], group["lr"]) == (0.0, pytest.approx(0.14))
        assert [parameter.shape for parameter in group["params"]] == [(1,)]


def test_the_picture_of_a_validation_word_is_its_scene(tmp_path):
    folder = write_scenes(tmp_path / "s", 2)
    source = ScenesSource(folder)
    assert np.array_equal(source[1].link.view.load(), np.asarray(Image.open(folder / "1.png")))


@pytest.mark.slow
def test_two_processes_train_with_scenes_as_one(train_apart, tmp_path):
    """Each has scenes of its own, and steps in which one has none."""
    data = write_scenes(tmp_path / "s", 12, words=2)
    kind, cfg = small_presets()["parseq-test"]
    torch.manual_seed(0)
    start = checkpoint.save(kind(cfg), tmp_path / "begin")
    flags = ["--model.model=parseq-compact", f"--model.start={start}", f"--data.real=[{data}]"]
    flags += [f"--model.clipter={json.dumps(CLIPTER)}", "--data.scene.dropout=0.6", "--data.augmentation=compact"]
    one = train_apart("one", *flags, "--data.batch_size=4")
    two = train_apart("two", *flags, "--data.batch_size=2", "--trainer.devices=2", "--trainer.strategy=ddp")
    assert_same(weights(two), weights(one), 5e-6)
