"""The objective of permuted sequence modelling (arXiv 2207.06966, equation 3)."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from wordsight.text import CharTokenizer


@dataclass(frozen=True)
class Goals:
    """What every query should say under every order.

    Attributes:
        ids: (B, K, T); padding does not count.
        pad: the id of padding.
        divisor: by what sums over all targets are divided.
    """

    ids: Tensor
    pad: int
    divisor: Tensor | float

    @classmethod
    def of(cls, targets: Tensor, orders: int, tokenizer: CharTokenizer, characters: float | None) -> "Goals":
        """Those of a batch in so many orders.

        Args:
            targets: (B, T + 1) ids [B] label [E] [P]...
            orders: K.
            tokenizer: of these ids.
            characters: see `Recognizer.loss`.
        """
        ids = targets[:, None, 1:].repeat(1, orders, 1)
        # [E] is learned from the first two orders only: elsewhere it would be predicted with the whole word in view
        ids[:, 2:].masked_fill_(ids[:, 2:] == tokenizer.eos, tokenizer.pad)
        # How many targets to divide by: those of this batch, or as many as a part of the whole step has on average
        count = (ids != tokenizer.pad).sum()
        divisor = count if characters is None else orders * characters + min(orders, 2) * len(ids)
        return cls(ids, tokenizer.pad, divisor)

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """Of logits (B, K, T, C + 1), a scalar."""
        flat = logits.flatten(0, -2).float()
        return F.cross_entropy(flat, self.ids.flatten(), ignore_index=self.pad, reduction="sum") / self.divisor
