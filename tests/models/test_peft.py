"""New weights in frozen towers: how many, what they do at the start, what is trained, kept and merged."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from small_models import small_config

from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip4str import Clip4Str
from wordsight.models.config import ImageTowerConfig
from wordsight.models.layers.transformer import Block
from wordsight.models.peft import (
    ClipAdapter,
    Ladder,
    LoraLinear,
    PeftConfig,
    add_lora,
    add_peft,
    load_adapter,
    merge_peft,
    save_adapter,
)
from wordsight.models.peft.ladder import pruned_block, residual_dims

B16 = ImageTowerConfig(class_token=True)  # 224 px, patch 16, width 768, 12 layers, 12 heads
KINDS = ("frozen", "adapter", "ladder", "ladder-released", "lora")


def count(module, trained=False):
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


def small_peft(kind):
    return PeftConfig(kind, reduction=2, rank=4)


@pytest.fixture
def b16():
    with torch.device("meta"):
        return ImageTower(B16, 512).requires_grad_(False)


def test_the_adapter_has_as_many_weights_as_in_the_paper():
    assert count(ClipAdapter(512)) == 262_144


@pytest.mark.parametrize(
    ("reduction", "downsampled", "millions"),
    [(2, True, 13.1), (4, True, 4.10), (2, False, 21.7), (4, False, 11.0), (8, False, 5.7)],
)
def test_ladders_have_as_many_weights_as_in_the_paper_and_as_released(b16, reduction, downsampled, millions):
    ladder = Ladder(b16, reduction, downsampled=downsampled)
    assert ladder.taken == (1, 3, 5, 7, 9, 11)
    assert count(ladder, trained=True) / 1e6 == pytest.approx(millions, abs=0.05 if millions > 5 else 0.005)


def test_lora_has_two_thin_matrices_for_each_linear_layer(b16):
    add_lora(b16, rank=8, alpha=16)
    # per block: q, k, v, out (768 + 768), and the MLP's two (768 + 3072)
    assert count(b16, trained=True) == 12 * 8 * (4 * (768 + 768) + 2 * (768 + 3072))


def test_the_adapter_computes_what_the_paper_says():
    adapter = ClipAdapter(6)
    down, up = adapter.bottleneck[0].weight, adapter.bottleneck[2].weight
    x = torch.randn(2, 3, 6)
    expected = 0.2 * torch.relu(torch.relu(x @ down.T) @ up.T) + 0.8 * x
    torch.testing.assert_close(adapter(x), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_changes_new_weights_and_decoders_and_leaves_the_tower_alone(model, batch, kind):
    add_peft(model, small_peft(kind))
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.param_groups(1e-3, 1.0, 0.0))
    for step in range(2):  # LoRA's first matrix gets a gradient only once the second is not zero
        optimizer.zero_grad()
        model.loss(*batch, torch.Generator().manual_seed(step)).total.backward()
        optimizer.step()
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    tower = {name for name in before if name.startswith("image_tower.")}
    new = {name for name in tower if any(f".{part}." in name for part in ("adapter", "ladder", "up", "down"))}
    new |= {name for name in tower if name.endswith("ladder.projection")}
    new = {n for n in new if not n.startswith("image_tower.tower.")}
    assert changed & tower <= new
    assert bool(new) == (kind != "frozen")
    moved = {name for name in new if name in changed}
    assert len(moved) >= 0.9 * len(new)  # key biases have no influence, and so no gradient
    assert {"visual_decoder.head.weight", "cross_decoder.head.weight"} <= changed


def test_lora_changes_nothing_at_first_and_merges_exactly(model, batch):
    images, _ = batch
    model.eval()
    plain = model.encode(images)
    add_peft(model, PeftConfig("lora", rank=4, towers=("image", "text")))
    model.eval()
    torch.testing.assert_close(model.encode(images), plain, rtol=0, atol=1e-6)
    for module in model.modules():
        if isinstance(module, LoraLinear):
            torch.nn.init.normal_(module.up.weight, std=0.2)
    captions = torch.tensor([[11, 1, 2, 0], [11, 3, 0, 12]])
    trained, text = model.encode(images), model.text_tower(captions)
    assert (trained - plain).abs().max() > 0.01
    merge_peft(model)
    assert not any(isinstance(module, LoraLinear) for module in model.modules())
    assert model.state_dict().keys() == Clip4Str(small_config()).state_dict().keys()
    torch.testing.assert_close(model.encode(images), trained, rtol=0, atol=1e-5)
    torch.testing.assert_close(model.text_tower(captions), text, rtol=0, atol=1e-5)
    assert count(model, trained=True) == count(model)
    add_peft(model, PeftConfig("lora"))  # plain again


def test_no_gradient_passes_through_a_tower_with_a_ladder(model, batch):
    add_peft(model, small_peft("ladder"))
    outputs = []
    model.image_tower.tower.norm_post.register_forward_hook(lambda *given: outputs.append(given[-1]))
    model.loss(*batch, torch.Generator()).total.backward()
    assert all(output.grad_fn is None for output in outputs)
    assert outputs


def test_a_ladder_reads_what_goes_into_the_blocks(model, batch):
    """At reduction 1 the pruned blocks are whole ones; with gates shut behind the first, the ladder is the tower."""
    images, _ = batch
    model.eval()
    memory = model.encode(images)
    add_peft(model, PeftConfig("ladder", reduction=1, blocks=(0, 1)))
    model.eval()
    with torch.no_grad():
        model.image_tower.ladder.gates.fill_(-10.0)
    torch.testing.assert_close(model.encode(images), memory, rtol=0, atol=1e-5)


def test_pruning_keeps_the_heaviest():
    torch.manual_seed(0)
    block = Block(8, 2)
    with torch.no_grad():
        block.mlp[0].weight[::2] *= 100
        block.attention.v.weight[[0, 3, 4, 7]] *= 100
    small = pruned_block(block, 2, torch.arange(8))
    assert torch.equal(small.mlp[0].weight, block.mlp[0].weight[::2])
    assert torch.equal(small.mlp[-1].weight, block.mlp[-1].weight[:, ::2])
    assert torch.equal(small.attention.v.weight, block.attention.v.weight[[0, 3, 4, 7]])
    assert torch.equal(small.attention.out.weight, block.attention.out.weight[:, [0, 3, 4, 7]])
    assert small(torch.randn(1, 5, 8)).shape == (1, 5, 8)
    quiet = Block(8, 2)
    with torch.no_grad():
        for linear in (quiet.attention.q, quiet.attention.k, quiet.attention.v, quiet.mlp[0]):
            linear.weight[:, [1, 2, 5, 6]] = 0
        for linear in (quiet.attention.out, quiet.mlp[-1]):
            linear.weight[[1, 2, 5, 6]] = 0
    kept = residual_dims([quiet], 4)
    assert kept.tolist() == [0, 3, 4, 7]
    assert pruned_block(quiet, 2, kept)(torch.randn(1, 5, 4)).shape == (1, 5, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_are_kept_without_the_tower_and_come_back_exactly(model, batch, tmp_path, kind):
    images, _ = batch
    base = copy.deepcopy(model).eval()
    add_peft(model, small_peft(kind))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape)
    save_adapter(model, tmp_path, note="first try")
    assert not any(".tower." in name or ".base." in name for name in load_file(tmp_path / "adapter.safetensors"))
    assert json.loads((tmp_path / "adapter.json").read_text())["about"] == {"note": "first try"}
    again = load_adapter(base, tmp_path)
    assert torch.equal(again.encode(images), model.eval().encode(images))
    assert not hasattr(base, "peft") or base.peft is None


def test_adapters_say_when_the_base_is_another(model, tmp_path):
    base = copy.deepcopy(model)
    add_peft(model, small_peft("lora"))
    save_adapter(model, tmp_path)
    with torch.no_grad():
        base.image_tower.norm_post.bias += 1e-3
    with pytest.raises(ModelError, match="another base model"):
        load_adapter(base, tmp_path)


def test_what_is_no_folder_of_adapters_is_one_line(model, tmp_path):
    with pytest.raises(ModelError, match="not a folder of adapters"):
        load_adapter(model, tmp_path)
    (tmp_path / "adapter.json").write_text('{"format": 1, "peft": {"kind": "lora", "speed": 9}}')
    with pytest.raises(ModelError, match="not a folder of adapters"):
        load_adapter(model, tmp_path)
    with pytest.raises(ConfigError, match="no adapters to save"):
        save_adapter(model, tmp_path)


def test_settings_that_do_not_fit_are_one_line(model):
    with pytest.raises(ConfigError, match="image tower alone"):
        PeftConfig("ladder", towers=("image", "text"))
    with pytest.raises(ConfigError, match="must be 1 or more"):
        PeftConfig("lora", rank=0)
    with pytest.raises(ConfigError, match="choose a divisor"):
        add_peft(model, PeftConfig("ladder", reduction=5))
    model = Clip4Str(small_config())
    add_peft(model, PeftConfig("adapter"))
    with pytest.raises(ConfigError, match="cannot be merged"):
        merge_peft(model)
    with pytest.raises(ConfigError, match="already has adapters"):
        add_peft(model, PeftConfig("lora"))


def test_a_config_survives_json():
    cfg = replace(PeftConfig("ladder", blocks=(0, 1)), reduction=2)
    assert PeftConfig.from_dict(json.loads(json.dumps(cfg.__dict__))) == cfg


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_keeps_its_adapters(model, batch, tmp_path, kind):
    add_peft(model, small_peft(kind))
    checkpoint.save(model, tmp_path)
    again, _ = checkpoint.load(tmp_path)
    assert again.peft == small_peft(kind)
    assert torch.equal(again.encode(batch[0]), model.eval().encode(batch[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_that_are_not_projected_are_not_adapted(kind):
    model = Clip4Str(small_config(share_dim=False))
    if kind in ("frozen", "lora"):
        add_peft(model, small_peft(kind))
        assert model.encode(torch.zeros(1, 3, 16, 32)).shape[2] == model.cfg.image.width
    else:
        with pytest.raises(ConfigError, match="needs a model with share_dim"):
            add_peft(model, small_peft(kind))
