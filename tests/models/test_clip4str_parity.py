"""The released CLIP4STR, number by number (spec 9). Needs the reference file; test_stepwise.py needs none."""

import os
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parity_model import converted

from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.models.parseq.permutations import content_masks, query_masks
from wordsight.models.reading import TorchEngine
from wordsight.weights.choices import Choices
from wordsight.weights.recognizers import read_clip4str
from wordsight.weights.tensors import Tensors

# The released model contradicts its own single-image runs where its batch took more steps than a row needed: at these
# (eosbias, row). Ours equals the single runs.
CONTRADICTIONS = {(0, 4), (3, 5)}


@pytest.fixture(scope="module")
def parity():
    named = os.environ.get("WORDSIGHT_PARITY")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "parity"
    file = folder / "clip4str_small.pt"
    if not file.is_file():
        pytest.skip("no numeric reference: set WORDSIGHT_PARITY to its folder")
    return torch.load(file, weights_only=True)


@pytest.fixture(scope="module")
def released(parity):
    return converted(parity)


@pytest.fixture(params=[0, 2, 3])
def biased(request, released):
    """The model with that much added to the bias of both heads' [E], and how much."""
    heads = released.visual_decoder.head, released.cross_decoder.head
    before = [head.bias.detach().clone() for head in heads]
    with torch.no_grad():
        for head in heads:
            head.bias[0] += request.param
    yield released, request.param
    with torch.no_grad():
        for head, bias in zip(heads, before, strict=True):
            head.bias.copy_(bias)


def same(model, found, final, text):
    """Whether one row has the reference's string and, up to its [E], the reference's logits."""
    close = np.abs(found - final[: len(found)].numpy()).max() < 1e-4
    return close and model.tokenizer.decode(found.argmax(1)) == text


@torch.no_grad()
def test_memory_and_text_features(parity, released):
    torch.testing.assert_close(released.encode(parity["images"]), parity["memory"], atol=1e-4, rtol=0)
    class_token = released.image_tower.tokens(parity["images"])[:, 0]
    torch.testing.assert_close(class_token, parity["memory_cls_noproj"], atol=1e-4, rtol=0)
    case = parity["text_case"]
    tokens = released.caption_tokenizer.tokenizer.encode(case["captions"], 16)
    assert tokens.tolist() == case["tokens"].tolist()
    torch.testing.assert_close(released.text_tower(torch.from_numpy(tokens)), case["features"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("refine_iters", [0, 1, 2])
def test_batches_replayed_with_their_number_of_steps(parity, biased, refine_iters):
    model, bias = biased
    case = parity[f"infer/eosbias{bias}/refine{refine_iters}"]
    spec = replace(model.cfg.spec, cross_steps=case["cross_ar"].shape[1])
    found = decode_psm(PsmGraphs(TorchEngine(model)), parity["images"].numpy(), spec, refine_iters=refine_iters)
    for row in zip(found.logits, case["final"], case["pred_raw"], strict=True):
        assert same(model, *row)
    default = decode_psm(
        PsmGraphs(TorchEngine(model)), parity["images"].numpy(), model.cfg.spec, refine_iters=refine_iters
    )
    rows = enumerate(zip(default.logits, case["final"], case["pred_raw"], strict=True))
    different = {(bias, i) for i, row in rows if not same(model, *row)}
    assert different == ({c for c in CONTRADICTIONS if c[0] == bias} if bias == 0 or refine_iters else set())


@pytest.mark.parametrize("batch", [1, 6])
def test_default_equals_single_images_at_every_batch_size(parity, biased, batch):
    model, bias = biased
    singles = parity[f"infer/eosbias{bias}/single"]
    images = parity["images"].numpy()
    for i, single in enumerate(singles):
        rows = [i] if batch == 1 else list(range(6))
        found = decode_psm(PsmGraphs(TorchEngine(model)), images[rows], model.cfg.spec).logits[rows.index(i)]
        assert same(model, found, single["final"][0], single["pred_raw"][0])


def test_all_positions_as_validation_wants_them(parity, biased):
    model, bias = biased
    case = parity[f"infer/eosbias{bias}/maxlen7"]
    spec = replace(model.cfg.spec, max_length=7, cross_steps="own")
    found = decode_psm(PsmGraphs(TorchEngine(model)), parity["images"].numpy(), spec, whole=True)
    np.testing.assert_allclose(np.stack(found.logits), case["final"].numpy(), atol=1e-4)


def test_validation_loss(parity, released):
    targets, reference = parity["train"]["tgt"], parity["val"]
    spec = replace(released.cfg.spec, max_length=targets.shape[1] - 2, cross_steps="own")
    found = decode_psm(PsmGraphs(TorchEngine(released)), parity["images"].numpy(), spec, whole=True)
    logits = torch.from_numpy(np.stack(found.logits))
    torch.testing.assert_close(logits, reference["logits"], atol=1e-4, rtol=0)
    goals = targets[:, 1:]
    loss = F.cross_entropy(logits.flatten(0, 1), goals.flatten(), ignore_index=released.tokenizer.pad)
    assert loss.item() == pytest.approx(reference["loss"].item(), abs=1e-4)
    assert (goals != released.tokenizer.pad).sum() == reference["numel"]


def test_masks(parity):
    train = parity["train"]
    for ours, theirs in ((content_masks, 0), (query_masks, 1)):
        masks = ours(train["perms"])
        for found, pair in zip(masks, train["masks"], strict=True):
            assert torch.equal(found == 0, pair[theirs] == 0)


def test_loss_and_gradients(parity, released):
    train = parity["train"]
    assert released.tokenizer.encode(train["labels"]).tolist() == train["tgt"].tolist()
    released.train()
    losses = released.loss(parity["images"], train["tgt"], torch.Generator(), orders=train["perms"])
    losses.total.backward()
    released.eval()
    gradients = {name: p.grad for name, p in released.named_parameters() if p.grad is not None}
    released.zero_grad()
    assert losses.total.item() == pytest.approx(train["loss"].item(), rel=1e-5)

    unknown = 1e30  # what the released code froze: no gradient is as large
    filled = {k: train["grad"].get(k, torch.full_like(v, unknown)) for k, v in parity["state_dict"].items()}
    expected = read_clip4str(Tensors(filled, "gradients"), {"hyper_parameters": parity["hparams"]}, Choices()).state
    packed = defaultdict(list)  # q, k and v as one tensor: those of the keys' biases alone are rounding
    for name, gradient in expected.items():
        if gradient.max() < unknown:
            packed[re.sub(r"\.[qkv]\.", ".qkv.", name)].append((gradients[name], gradient))
    assert len(packed) == len(train["grad"]) == 99
    for name, pairs in packed.items():
        found, wanted = (torch.cat([pair[i].flatten() for pair in pairs]) for i in (0, 1))
        assert (found - wanted).norm() <= 1e-4 * wanted.norm() + 1e-7, name
