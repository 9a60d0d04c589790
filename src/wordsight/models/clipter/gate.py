"""The gate between a word's features and what they attended to in the scene."""

import torch
from torch import Tensor, nn

from wordsight.models.clipter.config import GateForm


class Gate(nn.Module):
    """One learned scalar a, 0 at the start, and g = tanh(a): closed at first, so the recognizer is what it was.

    The paper: a learnable scalar, initialised to zero, in a convex combination of original and attended features. Ours:
    tanh (a sigmoid would start half open), and the additive form. Where the attended features held the original ones
    in a residual, convex and additive would be the same: (1 - g) F + g (F + A) = F + g A. They hold none.

    With `clamp`, g is kept in 0..1 while its gradient passes as if it were not, so that a gate that was pushed below 0
    can open again.
    """

    def __init__(self, form: GateForm = "convex", clamp: bool = False) -> None:
        super().__init__()
        self.form = form
        self.clamp = clamp
        self.alpha = nn.Parameter(torch.zeros(1))

    @property
    def value(self) -> Tensor:
        """g (1,)."""
        g = self.alpha.tanh()
        return g + (g.clamp(0, 1) - g).detach() if self.clamp else g

    def forward(self, features: Tensor, attended: Tensor, present: Tensor) -> Tensor:
        """Features and attended features (B, L, D), mixed; features as they were in rows where `present` (B,) is 0."""
        g = (self.value * present.to(self.alpha.dtype))[:, None, None].to(features.dtype)  # (B, 1, 1)
        kept = features if self.form == "additive" else (1 - g) * features
        return kept + g * attended
