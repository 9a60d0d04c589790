"""The training objective of CLIP4STR: both decoders, all permutations in one pass each."""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.models.clipter.context import SceneContext, Told
from wordsight.models.losses import Losses, column_logits, ctc_loss
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.parseq.permutations import content_masks, draw_orders, query_masks

if TYPE_CHECKING:
    from wordsight.models.clip4str.model import Clip4Str


def clip4str_losses(
    model: "Clip4Str",
    images: Tensor,
    targets: Tensor,
    generator: torch.Generator,
    *,
    cross: bool,
    context: SceneContext | None = None,
    characters: float | None = None,
) -> Losses:
    """See `Clip4Str.loss`."""
    orders = draw_orders(targets.shape[1] - 2, model.cfg.num_permutations, generator)
    return losses_of_orders(model, images, targets, orders, cross=cross, context=context, characters=characters)


def losses_of_orders(
    model: "Clip4Str",
    images: Tensor,
    targets: Tensor,
    orders: Tensor,
    *,
    cross: bool,
    context: SceneContext | None = None,
    characters: float | None = None,
) -> Losses:
    """`clip4str_losses` under the orders (K, T + 1) that `draw_orders` gives."""
    pad, eos = model.tokenizer.pad, model.tokenizer.eos
    count = len(orders)  # K
    # [E] is learned from the first two orders only: elsewhere it would be predicted with the whole word in view
    goals = targets[:, None, 1:].repeat(1, count, 1)  # (B, K, T): what each query should say
    goals[:, 2:].masked_fill_(goals[:, 2:] == eos, pad)
    # How many targets to divide by: those of this batch, or as many as a part of the whole step has on average
    divisor = (goals != pad).sum() if characters is None else count * characters + min(count, 2) * len(goals)

    branches, memory = _branches(model, images, targets[:, :-1], orders, cross, context)
    parts = {name: _cross_entropy(logits, goals, pad, divisor) for name, logits in branches.items()}
    total = sum(parts.values(), torch.zeros((), device=images.device))
    if model.ctc_head is not None:
        parts["ctc"] = ctc_loss(column_logits(model.ctc_head, memory, model.cfg.image.grid), targets, pad)
        total = total + model.cfg.ctc_weight * parts["ctc"]
    return Losses(total, {name: part.detach() for name, part in parts.items()})


def _branches(
    model: "Clip4Str", images: Tensor, tokens: Tensor, orders: Tensor, cross: bool, context: SceneContext | None
) -> tuple[dict[str, Tensor], Tensor]:
    """Logits (B, K, T, C + 1) of each branch that takes part, and the memory (B, L, D). `tokens` (B, T) is the content.

    What comes from the CPU is not waited for: a copy that waits would wait for all that the GPU has still to do.
    """
    count = len(orders)
    padding = torch.zeros(tokens.shape, device=images.device)
    ended = (tokens == model.tokenizer.pad) | (tokens == model.tokenizer.eos)
    padding = padding.masked_fill(ended, float("-inf"))
    seen = query_masks(orders).to(images.device, non_blocking=True) + padding[:, None, None]  # (B, K, T, T)

    # Of scenes hear rows: a word's, in which all orders share the content; or one for each of its orders
    repeated = None if context is None else context.repeat_interleave(count)
    shared = len(model.visual_decoder.layers) == 1
    told = model.told("late.visual", context if shared else repeated)

    memory = model.encode(images, context)
    kv = model.visual_decoder.memory_kv(memory)
    visual = _all_orders(model.visual_decoder, tokens, kv, seen, orders, padding, told)
    if not cross:
        return {"visual": visual}, memory

    captions = model.captions(visual.detach()).flatten(0, 1)  # (B * K, S)
    features, caption_mask = model.encode_captions(captions)
    # The image half of the memory is the same for all orders: projected once, without gradient to the tower
    image_kv = model.cross_decoder.memory_kv(model.cross_memory(memory.detach())).repeat_interleave(count, dim=0)
    kv = torch.cat([image_kv, model.cross_decoder.memory_kv(features)], dim=3)
    memory_mask = None if caption_mask is None else F.pad(caption_mask, (memory.shape[1], 0))
    content = _content(model.cross_decoder, orders, padding)
    rows = tokens.repeat_interleave(count, dim=0), kv, seen.flatten(0, 1)
    logits = model.cross_decoder(*rows, memory_mask, content, model.told("late.cross", repeated))
    return {"visual": visual, "cross": logits.unflatten(0, (-1, count))}, memory


def _all_orders(
    decoder: Decoder, tokens: Tensor, kv: Tensor, seen: Tensor, orders: Tensor, padding: Tensor, told: Told | None
) -> Tensor:
    """Logits (B, K, T, C + 1) of one pass for all orders."""
    count = len(orders)
    content = _content(decoder, orders, padding)
    if content is None:  # the content is never updated, so all orders share it
        logits: Tensor = decoder(tokens, kv, seen.flatten(1, 2), told=told)
        return logits.unflatten(1, (count, -1))
    rows = tokens.repeat_interleave(count, dim=0), kv.repeat_interleave(count, dim=0)
    logits = decoder(*rows, seen.flatten(0, 1), content_mask=content, told=told)
    return logits.unflatten(0, (-1, count))


def _content(decoder: Decoder, orders: Tensor, padding: Tensor) -> Tensor | None:
    """What content tokens see of each other (B * K, T, T), where the decoder is deep enough for that to matter."""
    if len(decoder.layers) == 1:
        return None
    return (content_masks(orders).to(padding.device, non_blocking=True) + padding[:, None, None]).flatten(0, 1)


def _cross_entropy(logits: Tensor, goals: Tensor, pad: int, divisor: Tensor | float) -> Tensor:
    """Sum over all targets of all orders that are not padding, over `divisor`."""
    return F.cross_entropy(logits.flatten(0, -2).float(), goals.flatten(), ignore_index=pad, reduction="sum") / divisor
