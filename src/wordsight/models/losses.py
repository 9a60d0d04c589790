"""The losses that several recognizers share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Losses:
    """`total`, a scalar, is what is minimised; `parts` (scalars without gradient, by name) are for the log."""

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


def column_logits(head: nn.Module, memory: Tensor, grid: tuple[int, int]) -> Tensor:
    """Logits (B, W, C + 1) of the columns of a grid (H, W) of image tokens, the last H * W of a memory (B, L, D)."""
    logits: Tensor = head(memory[:, -grid[0] * grid[1] :])
    return logits.unflatten(1, grid).mean(1)


def ctc_loss(logits: Tensor, targets: Tensor, pad: int) -> Tensor:
    """Connectionist temporal classification of columns (B, T, C + 1), [E] being the blank.

    Args:
        logits: of T columns from left to right.
        targets: (B, longest + 2) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
        pad: the id of [P].

    Returns:
        The mean over words of the loss of each, divided by its number of characters, as torch's own "mean". Words that
        are too long for the columns count as 0.
    """
    log_probs = logits.float().log_softmax(-1).transpose(0, 1)
    lengths = (targets != pad).sum(1) - 2
    sizes = torch.full_like(lengths, logits.shape[1])
    losses = F.ctc_loss(log_probs, targets[:, 1:], sizes, lengths, reduction="none", zero_infinity=True)
    return (losses / lengths.clamp(min=1)).mean()  # empty words have no characters but blanks


def cross_entropy(logits: Tensor, goals: Tensor, pad: int, characters: float | None) -> Tensor:
    """The cross entropy of logits (B, T, C + 1) with goals (B, T), padding left out.

    It is divided by the number of goals or, given `characters` as in `Recognizer.loss`, by their average number.
    """
    divisor = (goals != pad).sum() if characters is None else characters + len(goals)
    return F.cross_entropy(logits.flatten(0, 1).float(), goals.flatten(), ignore_index=pad, reduction="sum") / divisor
