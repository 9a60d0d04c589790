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


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_as_many_layers_or_fewer_are_refused(model, layers):
    with pytest.raises(ConfigError, match=f"has 2 layers, and {layers} is not more"):
        deepened(model, layers)


def test_what_adds_nothing_is_left_out_and_nothing_is_lost(convolved):
    deep = deepened(convolved, 4)
    with torch.no_grad():
        deep.image_tower.stem[1].conv.weight.zero_()
        deep.image_tower.stem[1].conv.bias.zero_()
    silent = [f"blocks.{i}" for i, block in enumerate(deep.image_tower.blocks) if not block.attention.out.weight.any()]
    assert len(silent) == 2
    shallow = pruned(deep, ["stem.1", *silent])
    assert shallow.cfg.image.layers == convolved.cfg.image.layers
    assert [list(stage) for stage in shallow.cfg.image.stem] == [[8, 2, 2], [16, 2, 1], [32, 4, 2]]
    images = torch.randn(2, 3, deep.cfg.image.height, deep.cfg.image.width_px)
    torch.testing.assert_close(shallow.encode(images), deep.encode(images))
    shallower = pruned(deep, silent)
    assert shallower.cfg == convolved.cfg


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
        with pytest.raises(ConfigError, match=r"can only leave out stem\.1, blocks\.0, blocks\.1$"):
            pruned(convolved, ["stem.1", part])
    with pytest.raises(ConfigError, match="keep one"):
        pruned(model, [f"blocks.{i}" for i in range(model.cfg.image.layers)])


def test_a_run_begins_with_it(model, convolved, tmp_path):
    checkpoint.save(model, tmp_path / "start")
    layers = model.cfg.image.layers
    deep = starting_model("clip4str-tiny", tmp_path / "start", image_layers=layers + 1)
    assert len(deep.image_tower.blocks) == layers + 1
    for less in (layers, 1):
        with pytest.raises(ConfigError, match="is not more"):
            starting_model("clip4str-tiny", tmp_path / "start", image_layers=less)
    checkpoint.save(convolved, tmp_path / "stem")
    shallow = starting_model("clip4str-tiny", tmp_path / "stem", prune=["stem.1", "blocks.0"])
    assert (len(shallow.image_tower.stem), len(shallow.image_tower.blocks)) == (3, 1)
    for more in ({"image_layers": layers + 1}, {"prune": ["blocks.0"]}):
        with pytest.raises(ConfigError, match="need a trained CLIP4STR"):
            starting_model("clip4str-tiny", None, **more)
