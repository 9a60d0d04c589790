"""Smaller copies of a transformer block that keep its heaviest weights (LST, arXiv 2206.06522, section 3.2)."""

import copy

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.layers.transformer import Block


def residual_dims(blocks: list[Block], count: int) -> Tensor:
    """The `count` dimensions of the residual stream that these blocks read and write most strongly, in order.

    Strength is the sum of absolute weights. One choice for all blocks, so that what one writes the next one reads.
    """
    strengths = []
    for block in blocks:
        (first, last), attention = _mlp_ends(block), block.attention
        reads = [linear.weight for linear in (attention.q, attention.k, attention.v, first)]
        writes = [linear.weight.T for linear in (attention.out, last)]
        strengths.append(torch.cat([*reads, *writes]).detach().abs().sum(0))
    return torch.stack(strengths).sum(0).topk(count).indices.sort().values


def _mlp_ends(block: Block) -> tuple[nn.Linear, nn.Linear]:
    first, *_, last = block.mlp
    if not isinstance(first, nn.Linear) or not isinstance(last, nn.Linear):
        raise ConfigError("a ladder copies plain blocks: add it to the tower before anything else")
    return first, last


def pruned_block(block: Block, ratio: int, residual: Tensor) -> Block:
    """A trainable copy of `block` on the residual dimensions `residual`, 1/ratio as wide inside.

    By L1 norm of their rows, the MLP keeps its heaviest hidden units. Attention keeps the same share of every head:
    the heads stay, and q and k keep the same rows, chosen by both, since only their product means something (which
    rows go with which is ours; the paper says L1 pruning).

    Raises:
        ConfigError: `ratio` does not divide the width of a head or of the MLP.
    """
    small = copy.deepcopy(block).requires_grad_(True)
    first, last = _mlp_ends(block)
    q, k, v, out = (getattr(block.attention, name) for name in ("q", "k", "v", "out"))
    heads, width = block.attention.heads, q.out_features
    if width // heads % ratio or first.out_features % ratio:
        raise ConfigError(f"a ladder of reduction {ratio} does not fit heads of {width // heads}: choose a divisor")
    qk = _heaviest(_rows(q) + _rows(k), heads, ratio)
    values = _heaviest(_rows(v) + out.weight.detach().abs().sum(0), heads, ratio)
    hidden = _heaviest(_rows(first), 1, ratio)
    small.attention.q, small.attention.k = _cut(q, qk, residual), _cut(k, qk, residual)
    small.attention.v, small.attention.out = _cut(v, values, residual), _cut(out, residual, values)
    small.mlp[0], small.mlp[-1] = _cut(first, hidden, residual), _cut(last, residual, hidden)
    for name in ("norm1", "norm2"):
        norm: nn.LayerNorm = getattr(block, name)
        smaller = nn.LayerNorm(len(residual), norm.eps, device=norm.weight.device)
        smaller.load_state_dict({key: value[residual] for key, value in norm.state_dict().items()})
        setattr(small, name, smaller)
    return small


def _rows(linear: nn.Linear) -> Tensor:
    return linear.weight.detach().abs().sum(1)


def _heaviest(strength: Tensor, groups: int, ratio: int) -> Tensor:
    """Indices of the strongest 1/ratio of each of `groups` equal parts of `strength` (N,), in order."""
    parts = strength.unflatten(0, (groups, -1))
    kept = parts.topk(parts.shape[1] // ratio, dim=1).indices.sort(dim=1).values
    return (kept + torch.arange(groups, device=kept.device)[:, None] * parts.shape[1]).flatten()


def _cut(linear: nn.Linear, rows: Tensor, columns: Tensor) -> nn.Linear:
    """The layer from `columns` of its input to `rows` of its output."""
    small = nn.Linear(len(columns), len(rows), device=linear.weight.device)
    small.load_state_dict({"weight": linear.weight.detach()[rows][:, columns], "bias": linear.bias.detach()[rows]})
    return small
