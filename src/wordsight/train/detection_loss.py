"""The loss of a detector (DB, arXiv 1911.08947, section 3.5)."""

import torch
import torch.nn.functional as F
from torch import Tensor

NEGATIVES = 3
"""Hard negative mining: as many pixels without text as with it count, those with the largest loss."""

STEEPNESS = 50.0
"""Of the binary map: how quickly it changes where probability and threshold cross (equation 2)."""

_BINARY, _THRESHOLD = 1.0, 10.0  # weights of these parts (equation 3)


def db_loss(
    text: Tensor, threshold: Tensor, core: Tensor, counts: Tensor, wanted: Tensor, near: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, and its parts.

    Args:
        text: logits of the probability of text, (B, H, W).
        threshold: logits of the threshold, (B, H, W).
        core: where text is, see `detection_maps.Maps`; (B, H, W) like those that follow.
        counts: where the labels can be trusted.
        wanted: thresholds.
        near: where these count.
    """
    text, threshold = text.float(), threshold.float()
    probability = balanced_cross_entropy(text, core, counts)
    edges = (torch.sigmoid(threshold) - wanted).abs().mul(near).sum() / near.sum().clamp(min=1)
    binary = torch.sigmoid(STEEPNESS * (torch.sigmoid(text) - torch.sigmoid(threshold)))
    overlap = dice(binary, core, counts)
    parts = {"text": probability, "threshold": edges, "binary": overlap}
    return probability + _BINARY * overlap + _THRESHOLD * edges, {k: v.detach() for k, v in parts.items()}


def balanced_cross_entropy(logits: Tensor, core: Tensor, counts: Tensor) -> Tensor:
    """The mean over all pixels of text and the `NEGATIVES` times as many others that are most wrong."""
    each = F.binary_cross_entropy_with_logits(logits, core, reduction="none")
    positive, negative = core * counts, (1 - core) * counts
    text = int(positive.sum())
    count = min(NEGATIVES * max(text, _FEW), int(negative.sum()))
    hardest = (each * negative).flatten().topk(count).values
    return ((each * positive).sum() + hardest.sum()) / max(text + count, 1)


_FEW = 100  # pixels: what a picture without text is taken to have of it


def glance_loss(logits: Tensor, core: Tensor, counts: Tensor) -> Tensor:
    """The mean cross-entropy of a glance over the blocks that count; a block with text in it has text.

    Args:
        logits: (B, H / 16, W / 16).
        core: where text is, (B, H, W) like `counts`.
        counts: where the labels can be trusted.
    """
    block = core.shape[-1] // logits.shape[-1]
    text = F.max_pool2d(core, block)
    known = torch.where(text > 0, 1.0, 1 - F.max_pool2d(1 - counts, block))
    weight = torch.tensor(_OVERLOOKED, device=logits.device)
    each = F.binary_cross_entropy_with_logits(logits.float(), text, reduction="none", pos_weight=weight)
    return (each * known).sum() / known.sum().clamp(min=1)


_OVERLOOKED = 4.0  # how much worse it is to overlook text than to look in vain


def dice(binary: Tensor, core: Tensor, counts: Tensor) -> Tensor:
    """1 less the share of two maps that they have in common."""
    shared = (binary * core * counts).sum()
    return 1 - 2 * shared / ((binary * counts).sum() + (core * counts).sum() + 1e-6)
