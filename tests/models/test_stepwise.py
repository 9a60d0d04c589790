"""Our decoding against step-by-step decoding of the same weights, whose results are stored beside this file."""

import numpy as np
import pytest
import torch
from stepwise_fixture import CASES, FILE, images, load_stepwise, reference, small_model, until_end

from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.models.parseq.permutations import draw_orders
from wordsight.models.reading import TorchEngine


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize(("bias", "refine_iters"), CASES)
def test_decoding_equals_what_is_stored(bias, refine_iters, batch):
    model, stored = small_model(bias), np.load(FILE)
    for start in range(0, 8, batch):
        part = images()[start : start + batch]
        found = decode_psm(PsmGraphs(TorchEngine(model)), part, model.cfg.spec, refine_iters=refine_iters).logits
        for i, got in enumerate(found, start):
            want = stored[f"{bias}/{refine_iters}/{i}"]
            assert want.argmax(1).tolist() == got.argmax(1).tolist()
            np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


def test_generate_says_what_is_stored():
    model, stored = small_model(1.0), np.load(FILE)
    for i, logits in enumerate(model.generate(torch.from_numpy(images()))):
        want = stored[f"1.0/1/{i}"]
        assert want.argmax(1).tolist() == logits.argmax(1).tolist()
        np.testing.assert_allclose(logits, want, atol=1e-4 * np.abs(want).max())


def test_the_stored_words_are_of_many_lengths():
    stored = np.load(FILE)
    assert len({len(stored[name]) for name in stored.files}) >= 10


def test_what_is_stored_is_what_the_reference_says():
    stored = np.load(FILE)
    for i, logits in enumerate(reference(small_model(1.0), 1)):
        np.testing.assert_allclose(logits, stored[f"1.0/1/{i}"], atol=1e-4 * np.abs(logits).max())


@torch.inference_mode()
def test_deep_decoders_equal_the_reference_before_refinement():
    """In refinement the released code's content mask is the query mask by mistake; ours is not."""
    model = small_model(1.0, depth=2)
    stepwise = load_stepwise().Stepwise(model).eval()
    found = decode_psm(PsmGraphs(TorchEngine(model)), images(), model.cfg.spec, refine_iters=0).logits
    for image, got in zip(images(), found, strict=True):
        want = until_end(stepwise(torch.from_numpy(image[None]), 0).final[0].numpy())
        np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("longest", [1, 3, 9])
def test_all_orders_at_once_give_the_loss_of_one_after_the_other(longest):
    model = small_model()
    words = ["abcdefghi"[: max(1, longest - i)] for i in range(4)]
    targets = torch.from_numpy(model.tokenizer.encode(words))
    orders = draw_orders(longest, 6, torch.Generator().manual_seed(0))
    pictures = torch.from_numpy(images(4))
    stepwise = load_stepwise().Stepwise(model)
    one_by_one = stepwise.loss(pictures, targets, orders)
    at_once = model.loss(pictures, targets, torch.Generator(), orders=orders).total
    assert at_once.item() == pytest.approx(one_by_one.item(), rel=1e-5)
    shared = [model.image_tower.projection, model.text_tower.projection, model.visual_decoder.head.weight]
    for a, b in zip(torch.autograd.grad(at_once, shared), torch.autograd.grad(one_by_one, shared), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * b.abs().max().item())
