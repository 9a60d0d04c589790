"""Ladder side-tuning (LST, arXiv 2206.06522) of the image tower, as CLIP4STR compares it (section 4, PEFT).

Small copies of some blocks run beside the frozen tower and read what goes into those blocks. No gradient passes
through the tower. The copies keep the heaviest weights (LST, section 3.2).
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.clip.image import ImageTower, Tower
from wordsight.models.clipter.model import Conditioning
from wordsight.models.layers.transformer import Block

TEMPERATURE = 0.1  # of the gates: sigmoid(alpha / 0.1), alpha 0 at the start (released code)


class Ladder(nn.Module):
    """The side network of an image tower.

    Args:
        tower: Whose blocks are copied; it must be plain (no LoRA).
        reduction: r, see `PeftConfig`.
        blocks: Which blocks; none: every second from the second on.
        downsampled: True: as in the paper, 1/r as wide as the tower, with linear layers down and up, which at the start
            pick the dimensions that the pruned blocks kept and put them back (ours). False: as released, features stay
            as wide as the tower's; only the insides of attention and MLP are pruned.
    """

    def __init__(self, tower: ImageTower, reduction: int, blocks: tuple[int, ...] = (), downsampled: bool = True):
        super().__init__()
        originals = cast(list[Block], list(tower.blocks))
        self.taken = tuple(sorted(blocks)) or tuple(range(1, len(originals), 2)) or (0,)
        width = tower.cfg.width
        chosen = [originals[i] for i in self.taken]
        device = tower.norm_post.weight.device
        kept = residual_dims(chosen, width // reduction) if downsampled else torch.arange(width, device=device)
        self.blocks = nn.ModuleList(pruned_block(block, reduction, kept) for block in chosen)
        self.down = nn.ModuleList(_selection(width, kept) if downsampled else nn.Identity() for _ in chosen)
        self.up = _selection(width, kept, upwards=True) if downsampled else nn.Identity()
        self.gates = nn.Parameter(torch.zeros(len(chosen), device=device))
        self.norm_post = copy.deepcopy(tower.norm_post).requires_grad_(True)
        if tower.projection is None:
            raise ConfigError("a ladder copies a projection: this tower has none")
        self.projection = nn.Parameter(tower.projection.detach().clone())

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """`inputs` of the taken blocks, each (B, L, width), to tokens through the final norm (B, L, width)."""
        gates = self._shares()
        x = inputs[0]
        for i, (block, down) in enumerate(zip(self.blocks, self.down, strict=True)):
            below = down(inputs[i])
            x = block(below if i == 0 else gates[i] * below + (1 - gates[i]) * x)
        return self.norm_post(self.up(x))

    def mix(self, memory: Tensor, tokens: Tensor) -> Tensor:
        """The tower's memory (B, L, D) and the ladder's own tokens (B, L, width), projected, as one (B, L, D)."""
        gate = self._shares()[0]  # the first block mixes nothing, so its gate is free for this: as released
        return gate * memory + (1 - gate) * (tokens @ self.projection)

    def _shares(self) -> Tensor:
        return torch.sigmoid(self.gates / TEMPERATURE)


def _selection(width: int, kept: Tensor, upwards: bool = False) -> nn.Linear:
    """A linear layer that picks the dimensions `kept` out of `width`, or upwards puts them back among zeros."""
    sizes = (len(kept), width) if upwards else (width, len(kept))
    linear = nn.Linear(*sizes, device=kept.device)
    with torch.no_grad():
        picked = torch.zeros(len(kept), width, device=kept.device).scatter_(1, kept[:, None], 1.0)
        linear.weight.copy_(picked.T if upwards else picked)
        linear.bias.zero_()
    return linear


class LadderTower(Tower):
    """An image tower with its ladder, in the tower's place."""

    def __init__(self, tower: ImageTower, ladder: Ladder) -> None:
        super().__init__(tower.cfg)
        self.tower = tower
        self.ladder = ladder

    def tokens(self, images: Tensor, inside: tuple[int, Conditioning] | None = None) -> Tensor:
        """The tower's tokens and the ladder's, side by side (B, L, 2 * width): `project` makes one of them."""
        inputs: list[Tensor] = []
        handles = [
            self.tower.blocks[i].register_forward_pre_hook(lambda _block, given: inputs.append(given[0]))
            for i in self.ladder.taken
        ]
        try:
            tokens = self.tower.tokens(images, inside)
        finally:
            for handle in handles:
                handle.remove()
        return torch.cat([tokens, self.ladder(inputs)], dim=-1)

    def project(self, tokens: Tensor) -> Tensor:
        """(B, L, 2 * width) to (B, L, D)."""
        own, side = tokens.chunk(2, dim=-1)
        return self.ladder.mix(self.tower.project(own), side)


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
