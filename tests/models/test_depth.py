"""A recognizer with a deeper or a shallower image tower."""

import pytest
import torch
from small_models import small_config

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.config import ImageTowerConfig
from wordsight.models.depth import deepened, pruned
from wordsight.train.start import starting_model


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Clip4Str(small_config(ctc_weight=1.0)).eval()


@pytest.mark.parametrize("more", [1, 2, 5])
def test_at_first_it_computes_the_same(model, more):
    layers = model.cfg.image.layers
    deep = deepened(model, layers + more)
    assert len(deep.image_tower.blocks) == deep.cfg.image.layers == layers + more
    images = torch.randn(3, 3, model.cfg.image.height, model.cfg.image.width_px)
    torch.testing.assert_close(deep.encode(images), model.encode(images))
    kept = {k: v for k, v in model.state_dict().items() if not k.startswith("image_tower.blocks.")}
    for name, tensor in kept.items():
        torch.testing.assert_close(deep.state_dict()[name], tensor)
    assert len(model.image_tower.blocks) == layers


def test_new_layers_learn(model):
    deep = deepened(model, 2 * model.cfg.image.layers).train()
    cfg = deep.cfg
    targets = torch.as_tensor(deep.tokenizer.encode(["ab", "c"]))
    images = torch.randn(2, 3, cfg.image.height, cfg.image.width_px)
    deep.loss(images, targets, torch.Generator().manual_seed(0)).total.backward()
    for block in deep.image_tower.blocks:
        assert block.mlp[-1].weight.grad.abs().max() > 0
        assert block.attention.out.weight.grad.abs().max() > 0


@pytest.fixture
def convolved():
    torch.manual_seed(0)
    stem = ((8, 2, 2), (8, 1, 1), (16, 2, 1), (32, 4, 2))
    image = ImageTowerConfig(16, 32, stem=stem, width=32, layers=2, heads=2)
    return Clip4Str(small_config(image=image, ctc_weight=1.0)).eval()


@pytest.mark.parametrize("layers", [None, 5])
def test_a_deeper_stem_computes_the_same_and_learns(convolved, layers):
    model = convolved
    old = model.cfg.image.stem
    stem = [stage for each in old for stage in (each, (each[0], 1, 1))]
    deep = deepened(model, layers, stem)
    assert deep.cfg.image.stem == tuple(stem)
    assert deep.cfg.image.layers == (layers or model.cfg.image.layers)
    images = torch.randn(2, 3, model.cfg.image.height, model.cfg.image.width_px)
    torch.testing.assert_close(deep.encode(images), model.encode(images))
    targets = torch.as_tensor(deep.tokenizer.encode(["ab", "c"]))
    deep.train().loss(images, targets, torch.Generator().manual_seed(0)).total.backward()
    assert all(stage.conv.weight.grad.abs().max() > 0 for stage in deep.image_tower.stem)


def test_a_stem_that_is_none_of_its_own_deepened_is_refused(model, convolved):
    (channels, down, across), *rest = convolved.cfg.image.stem
    for stem in ([], rest, [(channels, down, across), (channels, 2, 1), *rest], [(channels + 1, down, across), *rest]):
        with pytest.raises(ConfigError, match="convolutions"):
            deepened(convolved, 9, stem)
    with pytest.raises(ConfigError, match="convolutions"):  # it has none, but patches
        deepened(model, 9, [(32, 1, 1)])
    with pytest.raises(ConfigError, match="are not more"):
        deepened(convolved, stem=convolved.cfg.image.stem)


def test_what_adds_nothing_is_left_out_and_nothing_is_lost(convolved):
    stem = [stage for each in convolved.cfg.image.stem for stage in (each, (each[0], 1, 1))]
    deep = deepened(convolved, 3, stem)
    tower = deep.image_tower
    silent = [f"stem.{i}" for i, stage in enumerate(tower.stem) if not stage.conv.weight.any()]
    silent += [f"blocks.{i}" for i, block in enumerate(tower.blocks) if not block.attention.out.weight.any()]
    assert len(silent) == 5
    shallow = pruned(deep, silent)
    assert shallow.cfg == convolved.cfg
    assert len(deep.image_tower.stem) == len(stem)
    for name, tensor in convolved.state_dict().items():
        torch.testing.assert_close(shallow.state_dict()[name], tensor)


def test_what_is_left_out_is_what_was_named(model):
    deep = deepened(model, 4)
    shallow = pruned(deep, ["blocks.0", "blocks.2"])
    assert shallow.cfg.image.layers == len(shallow.image_tower.blocks) == 2
    for place, block in enumerate((1, 3)):
        theirs = deep.image_tower.blocks[block].state_dict()
        for name, tensor in shallow.image_tower.blocks[place].state_dict().items():
            torch.testing.assert_close(tensor, theirs[name])


def test_what_cannot_be_left_out_is_refused(model, convolved):
    for part in ("stem.0", "stem.2", "stem.9", "blocks.2", "blocks.-1", "blocks", "norm_pre", ""):
        with pytest.raises(ConfigError, match=r"can be left out stem\.1, blocks\.0, blocks\.1$"):
            pruned(convolved, ["stem.1", part])
    with pytest.raises(ConfigError, match="leave one in"):
        pruned(model, [f"blocks.{i}" for i in range(model.cfg.image.layers)])


def test_a_run_begins_with_it(model, convolved, tmp_path):
    checkpoint.save(model, tmp_path / "start")
    layers = model.cfg.image.layers
    deep = starting_model("clip4str-tiny", tmp_path / "start", image_layers=layers + 1)
    assert len(deep.image_tower.blocks) == layers + 1
    for less in (layers, 1):
        with pytest.raises(ConfigError, match="are not more"):
            starting_model("clip4str-tiny", tmp_path / "start", image_layers=less)
    checkpoint.save(convolved, tmp_path / "stem")
    stem = [*convolved.cfg.image.stem, (32, 1, 1)]
    assert len(starting_model("clip4str-tiny", tmp_path / "stem", image_stem=stem).image_tower.stem) == len(stem)
    shallow = starting_model("clip4str-tiny", tmp_path / "stem", prune=["stem.1", "blocks.0"])
    assert (len(shallow.image_tower.stem), len(shallow.image_tower.blocks)) == (3, 1)
    for more in ({"image_layers": layers + 1}, {"prune": ["blocks.0"]}):
        with pytest.raises(ConfigError, match="for a trained CLIP4STR"):
            starting_model("clip4str-tiny", None, **more)
