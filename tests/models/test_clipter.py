"""CLIPTER in every recognizer: nothing changes at the start, all of it learns, rows with and without scenes coexist."""

import copy
import dataclasses
import json
from functools import cache

import numpy as np
import pytest
import torch
from small_models import small_config
from some_scenes import FUSIONS, WIDTH, open_gates, scenes
from torch import nn

from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.charset import with_charset
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.clipter.model import BLOCK, Gate
from wordsight.models.config import DecoderConfig
from wordsight.models.peft import PeftConfig, add_peft, load_adapter, save_adapter
from wordsight.models.ppocr import Svtr
from wordsight.models.reading import TorchEngine
from wordsight.models.registry import PRESETS
from wordsight.text import Charset

WORDS = ["abc", "exit", "no", ""]
NAMES = [name for name in PRESETS if name.endswith("-compact")] + ["clip4str-tiny"]
in_every_recognizer = pytest.mark.parametrize("name", NAMES)
in_both_places = pytest.mark.parametrize("place", ["early", "late"])
by_every_fusion = pytest.mark.parametrize("kind", FUSIONS)
by_some_fusions = pytest.mark.parametrize("kind", ["gated, one token", "mini, box", "base, word and scene"])


@cache
def plain(name):
    torch.manual_seed(0)
    cls, cfg = PRESETS[name]
    if hasattr(cfg, "image"):
        cfg = dataclasses.replace(cfg, image=dataclasses.replace(cfg.image, layers=2))
    return cls(cfg).eval()


def told(name, place, kind="gated", alpha=0.0, **changes):
    """A recognizer with fusions whose gates stand at tanh(alpha)."""
    model = copy.deepcopy(plain(name))
    torch.manual_seed(1)
    insert(model, ClipterConfig(place=place, scene_dim=WIDTH, **(FUSIONS[kind] | changes)))
    open_gates(model, alpha)
    return model


def batch(model):
    shape = model.cfg.preprocessing
    images = torch.randn(len(WORDS), 3, shape.height, shape.width, generator=torch.Generator().manual_seed(2))
    return images, torch.from_numpy(model.tokenizer.encode(WORDS))


def look(model, images, targets, context=None):
    """Everything that a training pass says: the memory, the logits of all heads in order, the loss."""
    seen = []
    classes, inserted = model.tokenizer.num_classes, set(model.fusions.modules())
    heads = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == classes]
    heads = [head for head in heads if head not in inserted]
    handles = [head.register_forward_hook(lambda _, __, out: seen.append(out.detach())) for head in heads]
    memory = model.encode(images, context).detach()
    seen.clear()
    losses = model.loss(images, targets, torch.Generator().manual_seed(4), context=context)
    for handle in handles:
        handle.remove()
    assert seen, "no head was seen"
    return memory, seen, losses.total


def test_every_recognizer_takes_part():
    # "svtr" takes pictures of any width, and does in test_svtr.py
    assert {PRESETS[name][0] for name in NAMES} == {cls for cls, _ in PRESETS.values()} - {Svtr}


@in_every_recognizer
@in_both_places
@by_every_fusion
def test_at_the_start_nothing_changes_to_the_last_bit(name, place, kind):
    model, images_and_targets = told(name, place, kind), batch(plain(name))
    before, after = look(plain(name), *images_and_targets), look(model, *images_and_targets, scenes(kind))
    assert torch.equal(before[0], after[0])
    assert len(before[1]) == len(after[1])
    assert all(torch.equal(a, b) for a, b in zip(before[1], after[1], strict=True))
    assert torch.equal(before[2], after[2])


@in_every_recognizer
@in_both_places
@by_some_fusions
def test_gradients_reach_every_tensor_of_a_fusion_in_two_steps(name, place, kind):
    model = told(name, place, kind)
    images, targets = batch(model)
    optimizer = torch.optim.AdamW(model.param_groups(1e-3, 1.0, 0.0))
    for step in range(2):
        optimizer.zero_grad()
        model.loss(images, targets, torch.Generator().manual_seed(step), context=scenes(kind)).total.backward()
        moved = {n for n, p in model.fusions.named_parameters() if p.grad is not None and p.grad.any()}
        if step == 0:  # a closed gate hides all else
            assert moved == {n for n, _ in model.fusions.named_parameters() if n.endswith("gate.alpha")}
        optimizer.step()
    assert moved == {n for n, _ in model.fusions.named_parameters()}


@in_every_recognizer
@in_both_places
@by_some_fusions
def test_the_null_scene_is_the_recognizer_alone_to_the_last_bit(name, place, kind):
    model, (images, targets) = told(name, place, kind, alpha=0.7), batch(plain(name))
    context = scenes(kind, present=(0, 0, 0, 0))
    for bad in (float("nan"), float("inf")):
        context.tokens.fill_(bad)
        context.boxes.fill_(bad)
        before, after = look(plain(name), images, targets), look(model, images, targets, context)
        assert torch.equal(before[0], after[0])
        assert all(torch.equal(a, b) for a, b in zip(before[1], after[1], strict=True))
        assert torch.equal(before[2], after[2])


@in_every_recognizer
@in_both_places
def test_rows_with_and_without_scenes_stand_side_by_side(name, place):
    model, (images, targets) = told(name, place, alpha=0.7), batch(plain(name))
    context = scenes(present=(1, 0, 1, 1))
    context.tokens[0] = float("nan")  # nobody's but the second word's, which is not told of it
    context.boxes[1] = float("inf")
    before, after = look(plain(name), images, targets), look(model, images, targets, context)
    changed = 0
    for alone, mixed in zip([before[0], *before[1]], [after[0], *after[1]], strict=True):
        if len(alone) != len(WORDS):  # the cross-modal branch has a row for each order
            continue
        assert torch.equal(alone[1], mixed[1])
        assert torch.isfinite(mixed).all()
        changed += sum(not torch.equal(alone[i], mixed[i]) for i in (0, 2, 3))
    assert changed >= 3
    after[2].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@in_every_recognizer
@in_both_places
@by_some_fusions
def test_a_scene_follows_its_word_and_not_its_position(name, place, kind):
    model, (images, targets) = told(name, place, kind, alpha=0.7), batch(plain(name))
    context, order = scenes(kind, present=(1, 0, 1, 1)), torch.tensor([2, 3, 1, 0])
    memory, logits, loss = look(model, images, targets, context)
    moved = look(model, images[order], targets[order], context[order])
    torch.testing.assert_close(moved[0], memory[order], rtol=1e-4, atol=1e-5)
    if len(logits[0]) == len(WORDS):
        torch.testing.assert_close(moved[1][0], logits[0][order], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(moved[2], loss, rtol=1e-4, atol=1e-5)
    # The scenes in another order, with the words' pointers to them
    other = torch.tensor([1, 2, 0])
    back = torch.argsort(other)
    same = SceneContext(context.tokens[other], back[context.index], context.present, context.boxes)
    torch.testing.assert_close(look(model, images, targets, same)[2], loss, rtol=1e-5, atol=1e-6)
    # Other scenes for the same words: something else
    swapped = SceneContext(context.tokens[other], context.index, context.present, context.boxes)
    assert not torch.isclose(look(model, images, targets, swapped)[2], loss, rtol=1e-6, atol=0)


@in_every_recognizer
@in_both_places
def test_groups_hold_every_parameter_once_and_gates_apart(name, place):
    model = told(name, place)
    groups = model.param_groups(1e-3, 2.0, 0.1)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    (gates,) = (group for group in groups if group.get("gate"))
    assert {id(p) for p in gates["params"]} == {id(m.alpha) for m in model.modules() if isinstance(m, Gate)}
    assert gates["weight_decay"] == 0
    assert gates["lr"] == pytest.approx(1e-3 * 2.0 * 10)


@in_every_recognizer
@in_both_places
def test_checkpoints_keep_what_was_inserted(name, place, tmp_path):
    model, images_and_targets = told(name, place, "gated, clamped, box", alpha=0.3), batch(plain(name))
    loaded, _ = checkpoint.load(checkpoint.save(model, tmp_path))
    assert loaded.clipter == model.clipter
    assert json.loads((tmp_path / "config.json").read_text())["clipter"]["box"] is True
    context = scenes()
    assert torch.equal(look(model, *images_and_targets, context)[2], look(loaded, *images_and_targets, context)[2])


@pytest.mark.parametrize("name", [name for name in NAMES if BLOCK in plain(name).widths])
def test_inside_the_tower(name):
    images_and_targets = batch(plain(name))
    before = look(plain(name), *images_and_targets)
    model = told(name, "early", early_block=1)
    assert list(model.fusions) == ["early_block"]
    assert torch.equal(look(model, *images_and_targets, scenes())[2], before[2])
    open_gates(model, 0.5)
    model.loss(*images_and_targets, torch.Generator(), context=scenes()).total.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.fusions.parameters())
    with pytest.raises(ConfigError, match="tower has"):
        told(name, "early", early_block=len(model.image_tower.blocks))


def test_where_there_is_no_tower_nothing_goes_inside():
    with pytest.raises(ConfigError, match="early_block 0"):
        told("crnn-compact", "early", early_block=0)


def test_scenes_are_inserted_once():
    model = told("parseq-compact", "late")
    with pytest.raises(ConfigError, match="already"):
        insert(model, ClipterConfig(scene_dim=WIDTH))


def test_adapters_and_scenes_go_together(tmp_path):
    torch.manual_seed(0)
    model = Clip4Str(small_config())
    add_peft(model, PeftConfig("lora", rank=2))
    insert(model, ClipterConfig(scene_dim=WIDTH, early_block=0, kernel=2))
    open_gates(model.eval(), 0.5)
    loaded, _ = checkpoint.load(checkpoint.save(model, tmp_path))
    images, context = torch.randn(4, 3, 16, 32), scenes()
    assert torch.equal(model.encode(images, context), loaded.encode(images, context))
    assert not torch.equal(loaded.encode(images), loaded.encode(images, context))
    torch.manual_seed(0)
    base = Clip4Str(small_config())
    again = load_adapter(base, save_adapter(model, tmp_path / "adapter"))
    assert again.clipter == model.clipter
    assert torch.equal(model.encode(images, context), again.encode(images, context))


def test_another_charset_leaves_the_fusions_as_they_are():
    torch.manual_seed(0)
    model = Clip4Str(small_config())
    insert(model, ClipterConfig(scene_dim=WIDTH, kernel=2))
    open_gates(model.eval(), 0.5)
    other = with_charset(model, Charset("more", "abcdefghijk"))
    images, context = torch.randn(4, 3, 16, 32), scenes()
    assert torch.equal(model.encode(images, context), other.encode(images, context))


@pytest.mark.parametrize("place", ["early", "late"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", ["parseq-compact", "clip4str-tiny"])
def test_decoding_takes_scenes_along(name, depth, place):
    """What a row reads depends on its own scene, not on the other rows; decoding selects rows of both."""
    cls, cfg = PRESETS[name]
    torch.manual_seed(0)
    decoder, image = DecoderConfig(depth, heads=6, dropout=0.0), dataclasses.replace(cfg.image, layers=1)
    model = cls(dataclasses.replace(cfg, decoder=decoder, image=image, max_length=6)).eval()
    insert(model, ClipterConfig(place=place, scene_dim=WIDTH, kernel=2, fusion="mh-ca-mini", keys="word+scene"))
    open_gates(model, 0.8)
    images, _ = batch(model)
    context = scenes(present=(1, 0, 1, 1))
    engine = TorchEngine(model)
    found = decode_psm(PsmGraphs(engine, context), images.numpy(), model.cfg.spec).logits
    without = decode_psm(PsmGraphs(engine), images.numpy(), model.cfg.spec).logits
    for i, logits in enumerate(found):
        row = torch.tensor([i])
        alone = decode_psm(PsmGraphs(engine, context[row]), images[row].numpy(), model.cfg.spec).logits[0]
        np.testing.assert_allclose(logits, alone, atol=1e-3)
        same = logits.shape == without[i].shape and np.allclose(logits, without[i], atol=1e-3)
        assert same == (i == 1)


@pytest.mark.parametrize("place", ["early", "late"])
def test_deep_decoders_hear_of_the_right_scene_under_every_order(place):
    torch.manual_seed(0)
    model = Clip4Str(small_config(decoder=DecoderConfig(depth=2, heads=4, dropout=0.0))).eval()
    insert(model, ClipterConfig(place=place, scene_dim=WIDTH, kernel=2))
    open_gates(model, 0.7)
    images, targets = torch.randn(4, 3, 16, 32), torch.from_numpy(model.tokenizer.encode(["abc", "j", "ab", ""]))
    context, order = scenes(), torch.tensor([3, 1, 0, 2])
    loss = model.loss(images, targets, torch.Generator().manual_seed(0), context=context).total
    moved = model.loss(images[order], targets[order], torch.Generator().manual_seed(0), context=context[order]).total
    torch.testing.assert_close(moved, loss)


def test_early_in_clip4str_learns_from_the_visual_loss_alone():
    model = told("clip4str-tiny", "early", alpha=0.5)
    images, targets = batch(model)
    gradients = []
    for cross in (True, False):
        model.zero_grad()
        model.loss(images, targets, torch.Generator().manual_seed(0), cross=cross, context=scenes()).total.backward()
        gradients.append([p.grad.clone() for p in model.fusions.parameters()])
    for both, alone in zip(*gradients, strict=True):
        torch.testing.assert_close(both, alone)
