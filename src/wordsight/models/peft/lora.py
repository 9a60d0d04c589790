"""LoRA (arXiv 2106.09685): a frozen linear layer plus a trained product of two thin matrices, which merges into it."""

import torch
from torch import Tensor, nn


class LoraLinear(nn.Module):
    """`base(x) + alpha / rank * up(down(x))`: (..., in) to (..., out). At the start the update is zero."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        place = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False, **place)
        self.up = nn.Linear(rank, base.out_features, bias=False, **place)
        nn.init.zeros_(self.up.weight)
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """The layer with its update."""
        return self.base(x) + self.up(self.down(x)) * self.scale

    def merged(self) -> nn.Linear:
        """The base layer, its weight changed by the update: one linear layer that gives the same."""
        with torch.no_grad():
            self.base.weight += self.scale * self.up.weight @ self.down.weight
        return self.base.requires_grad_(True)


def add_lora(tower: nn.Module, rank: int, alpha: float) -> None:
    """Gives every linear layer inside the blocks of `tower` (q, k, v, out, both of the MLP) a trained update."""
    for parent in list(tower.blocks.modules()):  # type: ignore[union-attr]
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, LoraLinear(child, rank, alpha))


def merge_lora(module: nn.Module) -> None:
    """Turns every `LoraLinear` in `module` into the plain layer it amounts to, in place."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoraLinear):
                setattr(parent, name, child.merged())
