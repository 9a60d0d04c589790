"""Permutation language modelling (arXiv 2207.06966, section 3.2): orders of a word's characters, their masks, the loss.

CLIP4STR calls it permuted sequence modelling (PSM).
"""

from collections.abc import Mapping
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.models.losses import Losses
from wordsight.text import CharTokenizer


def draw_orders(length: int, count: int, generator: torch.Generator) -> Tensor:
    """Permutations for words of up to `length` characters, shared by a batch (arXiv 2207.06966, section 3.2).

    Half of them are drawn, starting with left to right; the other half are their mirror images. Short words have fewer
    permutations than `count`: each is used once.

    Returns:
        (K, length + 2): content positions in the order of prediction. [B] (0) is always first, [E] (length + 1) is
        last, except in the right-to-left order: there it comes first, and is learned from the image alone.
    """
    if length <= 1:  # a batch of empty words still has [E] to learn
        return torch.arange(length + 2)[None]
    pairs = max(count // 2, 1)
    drawn = [torch.arange(length)]
    if length <= 4:  # few enough to list: one of each pair of mirror images, except the first pair
        pool = [p for p in permutations(range(length)) if p[0] < p[-1]][1:]
        chosen = torch.randperm(len(pool), generator=generator)[: pairs - 1]
        drawn += [torch.tensor(pool[i]) for i in chosen]
    else:
        drawn += [torch.randperm(length, generator=generator) for _ in range(pairs - 1)]
    orders = torch.stack([order for one in drawn for order in (one, one.flip(0))])[: max(count, 1)]
    start = torch.zeros(len(orders), 1, dtype=torch.long)
    end = torch.full((len(orders), 1), length + 1)
    orders = torch.cat([start, orders + 1, end], dim=1)
    if len(orders) > 1:
        orders[1, 1:] = length + 1 - torch.arange(length + 1)
    return orders


def query_masks(orders: Tensor) -> Tensor:
    """Which content each position query may attend to under each permutation: what is predicted before its character.

    Args:
        orders: (K, T + 1) from `draw_orders`, T = length + 1.

    Returns:
        (K, T, T) additive: 0 where query i sees content token j, -inf where not.
    """
    rank = torch.argsort(orders, dim=1)  # when each content position is predicted
    hidden = rank[:, None, :-1] >= rank[:, 1:, None]
    return torch.zeros(hidden.shape).masked_fill(hidden, float("-inf"))


def content_masks(orders: Tensor) -> Tensor:
    """Which content each content token may attend to under each permutation, in decoders of more than one layer.

    Args:
        orders: (K, T + 1) from `draw_orders`.

    Returns:
        (K, T, T) additive: 0 where content token i sees content token j, -inf where not. Every token sees itself.
    """
    rank = torch.argsort(orders, dim=1)
    hidden = rank[:, None, :-1] > rank[:, :-1, None]
    return torch.zeros(hidden.shape).masked_fill(hidden, float("-inf"))


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
