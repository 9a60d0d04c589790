"""Shards as training data: every word once in a round, for one reader, and runs that go on where they were."""

import json
from collections import Counter
from itertools import islice

import pytest
import torch
from coloured_scenes import small_presets, write_scenes
from small_runs import assert_same, weights
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.data import read_scenes
from wordsight.data.shards import pack_scenes
from wordsight.errors import ConfigError, DataError
from wordsight.models import checkpoint
from wordsight.models.registry import PRESETS
from wordsight.train import streams
from wordsight.train.config import SceneConfig
from wordsight.train.streams import KeepPosition, StreamBatches

SCENES, WORDS = 25, 50
CFG = small_presets()["parseq-test"][1]


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """25 scenes of two words in shards of about three scenes, and pools of four."""
    monkeypatch.setattr(streams, "POOL", 4)
    scenes = read_scenes(write_scenes(tmp_path / "scenes", SCENES, words=2))
    assert len(list(pack_scenes(scenes, tmp_path / "shards", below=[tmp_path], shard_bytes=30_000))) == SCENES
    return tmp_path / "shards"


def stream(shards, *, rank=0, ranks=1, parts=1, batch_size=5, conditioned=True, **scene):
    return StreamBatches(
        str(shards),
        CFG,
        batch_size,
        rank=rank,
        ranks=ranks,
        parts=parts,
        workers=0,
        seed=3,
        augmentation=lambda image, _: image,
        scene=SceneConfig(**scene),
        conditioned=conditioned,
    )


def test_every_word_comes_equally_often(shards):
    found = Counter(name for batch in islice(stream(shards), 4 * WORDS // 5) for name in batch.samples)
    assert len(found) == WORDS
    assert set(found.values()) == {4}  # four rounds, the first after which a pool ends
    by_ranks = Counter()
    for rank in range(2):  # in a round of odd shards one reader has more
        batches = islice(stream(shards, rank=rank, ranks=2, batch_size=1), 3 * WORDS)
        by_ranks.update(name for batch in batches for name in batch.samples)
    assert len(by_ranks) == WORDS
    assert max(by_ranks.values()) - min(by_ranks.values()) <= 2


def test_numbers_of_batches_say_to_which_step_they_belong(shards):
    numbers = [[b.index for b in islice(stream(shards, rank=rank, ranks=2, parts=4), 4)] for rank in range(2)]
    assert numbers == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert [b.step for b in islice(stream(shards, rank=1, ranks=2, parts=4), 4)] == [0, 0, 1, 1]


def equal(a, b):
    same = torch.equal(a.images, b.images) and torch.equal(a.targets, b.targets) and a.samples == b.samples
    same = same and torch.equal(a.scenes.present, b.scenes.present) and torch.equal(a.scenes.boxes, b.scenes.boxes)
    return same and [v.key for v in a.scenes.views] == [v.key for v in b.scenes.views] and a.index == b.index


def test_a_reader_goes_on_where_it_was(shards):
    use = {"dropout": 0.3, "box_jitter": 0.1, "box_padding": 0.2}
    through = list(islice(stream(shards, **use), 14))
    for done in (1, 3, 9):
        later = stream(shards, **use)
        kept = KeepPosition()
        kept.load_state_dict(json.loads(json.dumps({"readers": 1, "positions": [vars(through[done - 1].position)]})))
        later.go_on(done, kept)
        for expected, found in zip(through[done:], later, strict=False):
            assert equal(expected, found)
    assert len({round(float(batch.scenes.present.mean()), 1) for batch in through}) > 1


def test_scenes_belong_to_their_words(shards):
    for batch in islice(stream(shards), 5):
        part = batch.scenes
        names = [name.split("/")[1].split("#")[0] for name in batch.samples]
        assert [part.views[i].scene.id for i in part.index] == names
        assert len(part.views) == len(set(names))
        assert part.views[0].load().shape == (64, 64, 3)
    plain, other = next(iter(stream(shards))), next(iter(stream(shards, mode="shuffle")))
    assert torch.equal(plain.images, other.images)
    assert torch.equal(plain.targets, other.targets)
    shown = [other.scenes.views[i].scene.id for i in other.scenes.index]
    assert all(a != b.split("/")[1].split("#")[0] for a, b in zip(shown, other.samples, strict=True))
    assert next(iter(stream(shards, mode="none"))).scenes.available == 0


def test_shards_without_words_are_said_to_be(tmp_path):
    scenes = read_scenes(write_scenes(tmp_path / "scenes", 3, words=0))
    list(pack_scenes(scenes, tmp_path / "shards", below=[tmp_path]))
    with pytest.raises(DataError, match="has no word that this recognizer can learn"):
        next(iter(stream(tmp_path / "shards")))


@pytest.fixture
def train(shards, tmp_path, monkeypatch):
    def run(name, *flags):
        for preset, made in small_presets().items():
            monkeypatch.setitem(PRESETS, preset, made)
        kind, cfg = PRESETS["parseq-test"]
        torch.manual_seed(0)
        checkpoint.save(kind(cfg), tmp_path / "start")
        clipter = {"encoder": "random", "scene_dim": 128, "kernel": 2}
        model = {
            "model": "parseq-test",
            "start": str(tmp_path / "start"),
            "optimiser": {"lr": 3e-3, "warmup": 2},
            "clipter": clipter,
        }
        data = {"stream": str(shards), "real_share": 1.0, "batch_size": 4, "total_batch": 8, "workers": 2}
        data |= {"scene": {"dropout": 0.3, "box_padding": 0.2}, "validation": [str(tmp_path / "scenes")]}
        trainer = {"accelerator": "cpu", "max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
        trainer |= {"max_steps": 7, "val_check_interval": 3, "enable_progress_bar": False, "log_every_n_steps": 1}
        trainer |= {"default_root_dir": str(tmp_path / name), "enable_model_summary": False}
        (tmp_path / "recipe.json").write_text(json.dumps({"model": model, "data": data, "trainer": trainer}))
        result = CliRunner().invoke(app, ["train", str(tmp_path / "recipe.json"), *flags], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return tmp_path / name

    return run


def test_a_run_on_a_stream_ends_as_one_that_was_never_interrupted(train, tmp_path):
    through = train("through")
    first = train("halves", "--trainer.max_steps=3")
    kept = torch.load(first / "last.ckpt", weights_only=True)["callbacks"]["KeepPosition"]
    assert kept["readers"] == 2
    assert sorted(one["batches"] for one in kept["positions"]) == [3, 3]
    halves = train("halves", f"--ckpt_path={first / 'last.ckpt'}")
    assert_same(weights(halves), weights(through))
    assert checkpoint.load(through / "model")[1]["data"]["stream"] == "shards"
    with pytest.raises(ConfigError, match=r"with 2 readers \(devices times workers\), not 1: resume with as many"):
        train("halves", f"--ckpt_path={first / 'last.ckpt'}", "--data.workers=1")


def test_a_stream_does_not_go_with_everything(train):
    with pytest.raises(ConfigError, match="a stream must be the only source"):
        train("run", "--data.epochs=2")
