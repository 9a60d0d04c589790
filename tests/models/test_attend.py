"""Attention in bfloat16 on a CPU."""

import pytest
import torch
import torch.nn.functional as F

from wordsight.models.layers.transformer import Attention, attend


@pytest.mark.parametrize("masked", [False, True])
def test_in_bfloat16_a_cpu_attends_in_float32(masked):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 8).bfloat16() for _ in range(3))
    mask = torch.zeros(5, 5).masked_fill(torch.rand(5, 5) < 0.3, -1e4).bfloat16() if masked else None
    exact = F.scaled_dot_product_attention(
        q.float(), k.float(), v.float(), attn_mask=None if mask is None else mask.float()
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = attend(q, k, v, mask, 0.0, causal=False)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, exact.bfloat16(), rtol=0, atol=0)


def test_training_in_bfloat16_has_nearly_the_gradients_of_float32():
    torch.manual_seed(0)
    attention = Attention(16, 4)
    x = torch.randn(2, 6, 16)
    grads = []
    for enabled in (False, True):
        attention.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = attention(x, attention.project_kv(x), causal=True)
        out.float().square().sum().backward()
        grads.append(torch.cat([p.grad.flatten() for p in attention.parameters()]))
    assert torch.nn.functional.cosine_similarity(*grads, dim=0) > 0.999
