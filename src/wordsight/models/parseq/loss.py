"""The targets and the loss of permutation language modelling (arXiv 2207.06966, section 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.models.losses import Losses
from wordsight.text import CharTokenizer


@dataclass(frozen=True)
class Goals:
    """What every position query should predict under every permutation.

    Attributes:
        ids: (B, K, T); padding does not count.
        pad: the id of padding.
        divisor: by what sums over all targets are divided.
    """

    ids: Tensor
    pad: int
    divisor: Tensor | float

    @classmethod
    def of(cls, targets: Tensor, orders: int, tokenizer: CharTokenizer, characters: float | None = None) -> "Goals":
        """Those of a batch.

        Args:
            targets: (B, T + 1) ids [B] label [E] [P]...
            orders: K, the number of permutations.
            tokenizer: of these ids.
            characters: see `Recognizer.loss`.
        """
        ids = targets[:, None, 1:].repeat(1, orders, 1)
        # [E] is learned from the first two permutations only: in others it would be predicted from the whole word
        ids[:, 2:].masked_fill_(ids[:, 2:] == tokenizer.eos, tokenizer.pad)
        # How many targets to divide by: those of this batch, or as many as a part of the whole step has on average
        count = (ids != tokenizer.pad).sum()
        divisor = count if characters is None else orders * characters + min(orders, 2) * len(ids)
        return cls(ids, tokenizer.pad, divisor)

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """Of logits (B, K, T, C + 1), a scalar."""
        flat = logits.flatten(0, -2).float()
        return F.cross_entropy(flat, self.ids.flatten(), ignore_index=self.pad, reduction="sum") / self.divisor

    def losses(self, logits: Mapping[str, Tensor]) -> Losses:
        """The sum of the branches' cross entropies, and each by its name."""
        parts = {name: self.cross_entropy(branch) for name, branch in logits.items()}
        total = torch.stack(list(parts.values())).sum()
        return Losses(total, {name: part.detach() for name, part in parts.items()})


def hide_padding(masks: Tensor, tokens: Tensor, tokenizer: CharTokenizer) -> Tensor:
    """The masks (K, T, T) of permutations for each row of tokens (B, T), whose padding is hidden: (B, K, T, T).

    Masks come from the CPU and are not waited for: a copy that waits would wait for all that the GPU has still to do.
    """
    ended = (tokens == tokenizer.pad) | (tokens == tokenizer.eos)
    padding = torch.zeros(tokens.shape, device=tokens.device).masked_fill(ended, float("-inf"))
    return masks.to(tokens.device, non_blocking=True) + padding[:, None, None]
