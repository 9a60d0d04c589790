import dataclasses

import pytest
import torch
from small_models import small_config

from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.freezing import freeze, trainable

B16 = CLIP4STR_PRESETS["clip4str-b16"]


def built(cfg):
    with torch.device("meta"):
        return Clip4Str(cfg)


@pytest.mark.parametrize(
    ("text", "image", "millions"),
    [  # spec 3.3: what the paper's table of frozen layers counts as trainable, decoders left out
        (None, None, 149.6),
        (3, None, 114.8),
        (6, None, 105.4),
        (9, None, 95.9),
        (12, None, 86.2),
        ("token", None, 86.2),
        (6, 3, 84.0),
        (6, 6, 62.7),
        (6, 9, 41.4),
        (6, 12, 19.2),
    ],
)
def test_as_many_parameters_train_as_in_the_paper(text, image, millions):
    cfg = B16
    if text == "token":
        cfg, text = dataclasses.replace(cfg, text=dataclasses.replace(cfg.text, embedding_only=True)), 12
    model = built(cfg)
    freeze(model, text, image)
    towers = trainable(model.image_tower) + trainable(model.text_tower)
    assert round(towers / 1e6, 1) == millions
    assert round(trainable(model.visual_decoder) / 1e6, 2) == round(trainable(model.cross_decoder) / 1e6, 2) == 4.32


def test_more_than_twelve_layers_can_be_frozen():
    model = built(CLIP4STR_PRESETS["clip4str-h14"])
    freeze(model, text_layers=20, image_layers=31)
    text, image = model.text_tower, model.image_tower
    assert [trainable(block) > 0 for block in text.blocks] == [False] * 20 + [True] * 4
    assert [trainable(block) > 0 for block in image.blocks] == [False] * 31 + [True]
    for parameter in (text.token_embedding.weight, text.positional_embedding, image.class_embedding):
        assert not parameter.requires_grad
    for parameter in (text.projection, text.norm_final.weight, image.stem.weight, image.norm_pre.weight):
        assert parameter.requires_grad


def test_no_layers_still_freezes_the_embeddings():
    model = Clip4Str(small_config())
    freeze(model, text_layers=0)
    assert not model.text_tower.token_embedding.weight.requires_grad
    assert all(parameter.requires_grad for parameter in model.text_tower.blocks.parameters())


def kept(module, argument):
    """How many numbers PyTorch keeps for a backward pass through a module."""
    total = 0

    def count(tensor):
        nonlocal total
        total += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        out = module(argument)
    return total, out


def test_frozen_parts_run_without_gradient(model, batch):
    images, targets = batch
    tokens = targets[:, :5].clamp(max=model.text_tower.cfg.vocab_size - 1)
    all_of_it, _ = kept(model.image_tower, images)
    freeze(model, text_layers=99, image_layers=99)
    for tower, argument in ((model.image_tower, images), (model.text_tower, tokens)):
        numbers, out = kept(tower, argument)
        assert numbers == 0 < all_of_it
        assert not out.requires_grad


def test_blocks_above_the_frozen_ones_keep_learning(model, batch):
    freeze(model, text_layers=0, image_layers=1)
    model.loss(*batch, torch.Generator().manual_seed(0)).total.backward()
    gradients = {name: parameter.grad is not None for name, parameter in model.named_parameters()}
    assert not any(found for name, found in gradients.items() if name.startswith("image_tower.blocks.0."))
    assert gradients["image_tower.stem.weight"]  # as released: before frozen blocks, and trained
    assert all(gradients[name] for name in gradients if name.startswith("image_tower.blocks.1."))
    assert not gradients["text_tower.token_embedding.weight"]
    assert gradients["text_tower.blocks.0.attention.q.weight"]


def test_frozen_weights_do_not_reach_the_optimiser(model):
    freeze(model, text_layers=99, image_layers=99)
    groups = model.param_groups(1e-3, 19.0, 0.2)
    assert {group["lr"] for group in groups} == {19e-3}
    assert sum(p.numel() for group in groups for p in group["params"]) == trainable(model)
