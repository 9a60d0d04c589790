"""What every recognizer keeps to, and every preset."""

import json
from functools import cache

import pytest
import torch
from drawn_words import drawn

from wordsight.errors import ConfigError
from wordsight.models import checkpoint, registry
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.reading import TorchRecognizer
from wordsight.models.registry import PRESETS, preset

COMPACT = [name for name in PRESETS if name.endswith("-compact")] + ["clip4str-tiny"]
WORDS = ["bad", "a", "CAB", "42nd"]
SCENE_DIM = 24
LR = 3e-3


def build(name, place=None):
    torch.manual_seed(0)
    recognizer, cfg = preset(name)
    model = recognizer(cfg)
    if place:
        insert(model, ClipterConfig(place=place, kernel=2, scene_dim=SCENE_DIM, fusion="mh-ca-mini"))
    return model


def scenes(crops):
    generator = torch.Generator().manual_seed(2)
    return SceneContext(torch.randn(2, 5, SCENE_DIM, generator=generator), torch.arange(crops) % 2, torch.ones(crops))


@cache
def trained(name, most=240):
    """A model that has seen four words until it reads them, `most` times if it does not; its first and last loss."""
    model = build(name)
    images, targets = drawn(WORDS, model.cfg.preprocessing), torch.from_numpy(model.tokenizer.encode(WORDS))
    optimizer = torch.optim.AdamW(model.param_groups(LR, 1.0, 0.0), betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(0)
    losses = []
    for step in range(1, most + 1):
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1.0, step / 10)
        total = model.loss(images, targets, generator).total
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(total.item())
        if step % 20 == 0:
            if texts(model.eval(), images) == WORDS:
                break
            model.train()
    return model.eval(), losses[0], losses[-1]


def texts(model, images):
    return [reading.text for reading in TorchRecognizer(model).read(images.numpy())]


def test_every_recognizer_has_a_compact_preset():
    # "clip" is two towers, "db" a detector, and "svtr" begins with published weights
    known = set(registry.MODELS) - {"clip", "db", "svtr"}
    assert {PRESETS[name][0].architecture for name in COMPACT} == known


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_a_trip_through_json(name):
    recognizer, cfg = preset(name)
    plain = json.loads(json.dumps(cfg.to_dict()))
    assert type(cfg).from_dict(plain) == cfg
    with torch.device("meta"):
        assert recognizer.from_config(plain).cfg == cfg
    with pytest.raises(ConfigError):
        type(cfg).from_dict(plain | {"no such key": 1})


def test_unknown_names_are_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match="crnn-compact"):
        preset("crnn-gigantic")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "clip4str-tiny" else n for n in COMPACT]
)
def test_learns_four_words_and_reads_them(name):
    model, first, last = trained(name)
    assert last < 0.5 * first
    assert texts(model, drawn(WORDS, model.cfg.preprocessing)) == WORDS


@pytest.mark.parametrize("name", COMPACT)
def test_a_reading_does_not_depend_on_the_batch(name):
    model, _, _ = trained(name, 40) if name == "clip4str-tiny" else trained(name)  # the slowest
    images = drawn([*WORDS, "zz", "longer24"], model.cfg.preprocessing).numpy()
    reader = TorchRecognizer(model)
    together = reader.read(images)
    alone = [reader.read(images[i : i + 1])[0] for i in range(len(images))]
    backwards = reader.read(images[::-1].copy())[::-1]
    for a, b, c in zip(together, alone, backwards, strict=True):
        assert a.text == b.text == c.text
        assert a.confidence == pytest.approx(b.confidence, rel=1e-3) == pytest.approx(c.confidence, rel=1e-3)


@pytest.mark.parametrize("place", [None, "early", "late"])
@pytest.mark.parametrize("name", COMPACT)
def test_groups_hold_every_trainable_parameter_once(name, place):
    model = build(name, place)
    frozen = next(model.parameters()).requires_grad_(False)
    groups = model.param_groups(1e-3, 2.0, 0.1)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p is not frozen)
    assert {group["lr"] for group in groups if not group.get("gate")} <= {1e-3, 2e-3}
    assert all(not group["weight_decay"] or p.ndim > 1 for group in groups for p in group["params"])
    assert sum(bool(group.get("gate")) for group in groups) == (place is not None)


@pytest.mark.parametrize("name", COMPACT)
def test_memory_has_a_row_for_every_image_and_hears_of_scenes_early(name):
    model = build(name, "early").eval()
    for fusion in model.fusions.values():
        torch.nn.init.constant_(fusion.gate.alpha, 0.5)
    images = drawn(["ab", "c", "ab"], model.cfg.preprocessing)
    with torch.no_grad():
        memory, told = model.encode(images), model.encode(images, scenes(3))
    assert memory.shape == told.shape
    assert memory.ndim == 3
    assert len(memory) == 3
    assert memory.isfinite().all()
    assert not torch.allclose(memory, told, atol=1e-3)


@pytest.mark.parametrize("place", [None, "early", "late"])
@pytest.mark.parametrize("name", COMPACT)
def test_checkpoint_round_trip(name, place, tmp_path):
    model = build(name, place)
    checkpoint.save(model, tmp_path, steps=3)
    loaded, about = checkpoint.load(tmp_path)
    assert about == {"steps": 3}
    assert type(loaded) is type(model)
    assert (loaded.cfg, loaded.clipter) == (model.cfg, model.clipter)
    for (key, a), b in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
