"""The loss of permutation language modelling (arXiv 2207.06966, section 3.2)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.models.losses import Losses
from wordsight.text import CharTokenizer


def permutation_losses(
    logits: Mapping[str, Tensor],
    targets: Tensor,
    orders: int,
    tokenizer: CharTokenizer,
    characters: float | None = None,
) -> Losses:
    """The sum of the branches' cross entropies with what every query should predict, and each by its name.

    Args:
        logits: of each branch, (B, K, T, C + 1).
        targets: (B, T + 1) ids [B] label [E] [P]...
        orders: K, the number of permutations.
        tokenizer: of these ids.
        characters: see `Recognizer.loss`.
    """
    ids = targets[:, None, 1:].repeat(1, orders, 1)  # (B, K, T); padding does not count
    # [E] is learned from the first two permutations only: in others it would be predicted from the whole word
    ids[:, 2:].masked_fill_(ids[:, 2:] == tokenizer.eos, tokenizer.pad)
    # How many targets to divide by: those of this batch, or as many as a part of the whole step has on average
    count = (ids != tokenizer.pad).sum() if characters is None else orders * characters + min(orders, 2) * len(ids)
    parts = {
        name: F.cross_entropy(branch.flatten(0, -2).float(), ids.flatten(), ignore_index=tokenizer.pad, reduction="sum")
        / count
        for name, branch in logits.items()
    }
    return Losses(torch.stack(list(parts.values())).sum(), {name: part.detach() for name, part in parts.items()})


def hide_padding(masks: Tensor, tokens: Tensor, tokenizer: CharTokenizer) -> Tensor:
    """The masks (K, T, T) of permutations for each row of tokens (B, T), whose padding is hidden: (B, K, T, T).

    Masks come from the CPU and are not waited for: a copy that waits would wait for all that the GPU has still to do.
    """
    ended = (tokens == tokenizer.pad) | (tokens == tokenizer.eos)
    padding = torch.zeros(tokens.shape, device=tokens.device).masked_fill(ended, float("-inf"))
    return masks.to(tokens.device, non_blocking=True) + padding[:, None, None]
