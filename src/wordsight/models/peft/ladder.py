"""Ladder side-tuning (LST, arXiv 2206.06522) of the image tower, as CLIP4STR compares it (section 4, PEFT).

Small copies of some blocks run beside the frozen tower and read what goes into those blocks. No gradient passes
through the tower.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.clip.image import ImageTower, Tower
from wordsight.models.clipter.context import Conditioning
from wordsight.models.layers.transformer import Block
from wordsight.models.peft.pruning import pruned_block, residual_dims

TEMPERATURE = 0.1  # of the gates: sigmoid(alpha / 0.1), alpha 0 at the start (released code)


class Ladder(nn.Module):
    """The side network of an image tower.

    Args:
        tower: Whose blocks are copied; it must be plain (no LoRA).
        reduction: r, see `PeftConfig`.
        blocks: Which blocks; none: every second from the second on.
        downsampled: True: as in the paper, the side network is 1/r as wide as the tower, and features come down to it
            and go up again by linear layers. At the start these pick the dimensions that the pruned blocks kept and
            put them back (ours). False: as released, features stay as wide as the tower's; only the insides of
            attention and MLP are pruned.
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
