"""A recognizer with more layers in its image tower."""

import pytest
import torch
from small_models import small_config

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.deeper import deepened
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


def test_a_run_begins_with_it(model, tmp_path):
    checkpoint.save(model, tmp_path / "start")
    layers = model.cfg.image.layers
    deep = starting_model("clip4str-tiny", tmp_path / "start", image_layers=layers + 1)
    assert len(deep.image_tower.blocks) == layers + 1
    for less in (layers, 1):
        with pytest.raises(ConfigError, match="are not more"):
            starting_model("clip4str-tiny", tmp_path / "start", image_layers=less)
    with pytest.raises(ConfigError, match="a trained CLIP4STR"):
        starting_model("clip4str-tiny", None, image_layers=layers + 1)
