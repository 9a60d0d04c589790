"""The gate that mixes a word's features with what they attended to in the scene."""

import torch
from torch import Tensor, nn

from wordsight.models.clipter.config import GateForm


class Gate(nn.Module):
    """One learned scalar a, initialised to 0, and g = tanh(a): closed at first, so the recognizer is unchanged.

    From the paper: a learnable scalar, initialised to zero, in a convex combination of original and attended features.
    Ours: tanh (a sigmoid would start half open), and the additive form. If the attended features had a residual
    connection, both forms would be the same, (1 - g) F + g (F + A) = F + g A; they have none.

    With `clamp`, g is kept in 0..1, but its gradient passes unclamped, so that a gate that was pushed below 0 can open
    again.
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
        """Features and attended features (B, L, D), mixed; rows where `present` (B,) is 0 keep their features."""
        g = (self.value * present.to(self.alpha.dtype))[:, None, None].to(features.dtype)  # (B, 1, 1)
        kept = features if self.form == "additive" else (1 - g) * features
        return kept + g * attended
