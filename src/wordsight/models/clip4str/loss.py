"""The training objective of CLIP4STR: both decoders, all permutations in one pass each."""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.models.clipter.context import SceneContext, Told
from wordsight.models.losses import Losses, ctc_loss
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
    tokens, goals = targets[:, :-1], targets[:, 1:]  # (B, T) both: content, and what each query should say
    count = len(orders)  # K
    padding = torch.zeros(tokens.shape, device=images.device)
    padding = padding.masked_fill((tokens == pad) | (tokens == eos), float("-inf"))
    seen = query_masks(orders).to(images.device) + padding[:, None, None]  # (B, K, T, T)
    # [E] is learnt from the first two orders only: elsewhere it would be predicted with the whole word in view
    goals = goals[:, None].repeat(1, count, 1)  # (B, K, T)
    goals[:, 2:][goals[:, 2:] == eos] = pad
    # How many targets to divide by: those of this batch, or as many as a part of the whole step has on average
    divisor = (goals != pad).sum() if characters is None else count * characters + min(count, 2) * len(goals)

    # Of scenes hear rows: a word's, in which all orders share the content; or one for each of its orders
    repeated = None if context is None else context.repeat_interleave(count)
    shared = len(model.visual_decoder.layers) == 1
    told = model.told("late.visual", context if shared else repeated)

    memory = model.encode(images, context)
    kv = model.visual_decoder.memory_kv(memory)
    logits = _all_orders(model.visual_decoder, tokens, kv, seen, orders, padding, told)
    visual = _cross_entropy(logits, goals, pad, divisor)

    total, parts = visual, {"visual": visual.detach()}
    if cross:
        captions = model.captions(logits.detach()).flatten(0, 1)  # (B * K, S)
        features, caption_mask = model.encode_captions(captions)
        # The image half of the memory is the same for all orders: projected once, without gradient to the tower
        image_kv = model.cross_decoder.memory_kv(model.cross_memory(memory.detach())).repeat_interleave(count, dim=0)
        kv = torch.cat([image_kv, model.cross_decoder.memory_kv(features)], dim=3)
        memory_mask = None if caption_mask is None else F.pad(caption_mask, (memory.shape[1], 0))
        content = _content(model.cross_decoder, orders, padding)
        rows = tokens.repeat_interleave(count, dim=0), kv, seen.flatten(0, 1)
        cross_logits = model.cross_decoder(*rows, memory_mask, content, model.told("late.cross", repeated))
        cross_loss = _cross_entropy(cross_logits, goals, pad, divisor)
        total, parts["cross"] = total + cross_loss, cross_loss.detach()
    if model.ctc_head is not None:
        ctc_loss = _ctc(model.ctc_head(memory), model.cfg.image.grid, targets, pad)
        total, parts["ctc"] = total + model.cfg.ctc_weight * ctc_loss, ctc_loss.detach()
    return Losses(total, parts)


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
    return (content_masks(orders).to(padding.device) + padding[:, None, None]).flatten(0, 1)


def _cross_entropy(logits: Tensor, goals: Tensor, pad: int, divisor: Tensor | float) -> Tensor:
    """Sum over all targets of all orders that are not padding, over `divisor`."""
    return F.cross_entropy(logits.flatten(0, -2).float(), goals.flatten(), ignore_index=pad, reduction="sum") / divisor


def _ctc(logits: Tensor, grid: tuple[int, int], targets: Tensor, pad: int) -> Tensor:
    """CTC over the columns of the token grid, [E] as blank. Words too long for the columns do not count."""
    columns = logits[:, -grid[0] * grid[1] :].unflatten(1, grid).mean(1)  # (B, columns, C + 1)
    return ctc_loss(columns, targets, pad)
