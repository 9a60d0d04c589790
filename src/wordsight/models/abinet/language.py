"""ABINet's language model, which predicts every character from all others (arXiv 2103.06495, section 3.2)."""

import torch
from torch import Tensor, nn

from wordsight.models.layers.transformer import Attention, Mlp, sinusoids


class Unit(nn.Module):
    """Post-norm transformer unit (Vaswani et al., arXiv 1706.03762) that looks at `source`, which may be itself."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.norm1 = nn.LayerNorm(width)
        self.mlp = Mlp(width, activation="relu", dropout=dropout)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Queries (B, Q, D) over `source` (B, L, D), with an additive mask (B, Q, L). Returns (B, Q, D)."""
        mask = None if mask is None else mask[:, None]
        x = self.norm1(x + self.dropout(self.attention(x, self.attention.project_kv(source), mask)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class Language(nn.Module):
    """The bidirectional cloze network: position queries look at the reading, but never at their own character.

    It has no self-attention, so that no unit can hand a position's own character to it by way of another.
    """

    places: Tensor

    def __init__(self, classes: int, positions: int, width: int, heads: int, units: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(classes, width, bias=False)
        self.register_buffer("places", sinusoids(positions, width), persistent=False)
        self.units = nn.ModuleList(Unit(width, heads, dropout) for _ in range(units))
        self.head = nn.Linear(width, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, P, D) of what each position should say, and their logits.

        The reading (B, P, C + 1) is told as probabilities, and its gradient is stopped: vision learns from images alone
        (the paper's "autonomous").
        """
        probabilities = logits.detach().softmax(-1)
        source = self.dropout(self.project(probabilities) + self.places)
        x = self.dropout(self.places).expand(logits.shape[0], -1, -1)
        mask = cloze(probabilities).to(x.dtype)
        for unit in self.units:
            x = unit(x, source, mask)
        return x, self.head(x)


def cloze(probabilities: Tensor) -> Tensor:
    """Additive masks (B, P, P) of a reading (B, P, C + 1): its own character and what comes after [E] are hidden.

    [E] itself is seen, and of an empty reading one position more, so that [E] has something to look at.
    """
    positions = probabilities.shape[1]
    ended = (probabilities.argmax(-1) == 0).cumsum(1)  # (B, P): 0 before the first [E], which is class 0
    length = (ended == 0).sum(1, keepdim=True) + 1  # with [E]
    place = torch.arange(positions, device=probabilities.device)
    hidden = (place >= length.clamp(min=2))[:, None] | (place[:, None] == place)
    return torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, float("-inf"))
