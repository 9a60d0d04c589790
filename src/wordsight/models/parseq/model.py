"""PARSeq (Bautista and Atienza, arXiv 2207.06966): an image tower, and a decoder that learned every order.

    image -> image tower -> memory
    [B] and the characters that may be seen, memory -> decoder -> logits of every position

Which characters may be seen is a mask (section 3.1): all of those before in training's orders, in reading those to the
left, and in refinement all but the one that is asked for.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from wordsight.decoding.psm import PSM
from wordsight.models.clip.image import ImageTower
from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.context import BLOCK
from wordsight.models.losses import Losses
from wordsight.models.parseq.config import ParseqConfig
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.parseq.generate import Decode, predict, refine
from wordsight.models.parseq.loss import Goals
from wordsight.models.parseq.permutations import content_masks, draw_orders, query_masks
from wordsight.models.recognizer import GraphModule, Recognizer, RecognizerConfig


class Parseq(Recognizer):
    """The recognizer.

    Scenes condition it early, on the encoder's output or inside its tower, or late, on the decoder's output.
    """

    architecture = "parseq"
    kind = PSM
    config_class: ClassVar[type[RecognizerConfig]] = ParseqConfig
    encoders: ClassVar[tuple[str, ...]] = ("image_tower.",)
    insertion_points: tuple[str, ...] = ("early", "late.visual")
    cfg: ParseqConfig

    def __init__(self, cfg: ParseqConfig) -> None:
        super().__init__(cfg)
        self.image_tower = ImageTower(cfg.image, cfg.embed_dim)
        self.visual_decoder = self._decoder(cfg.visual_dim)

    def _decoder(self, width: int) -> Decoder:
        ids = self.tokenizer
        return Decoder(self.cfg.decoder, width, ids.vocab_size, ids.num_classes, self.cfg.max_length)

    @property
    def widths(self) -> dict[str, int]:
        """See `Contextual`."""
        return {"early": self.cfg.visual_dim, BLOCK: self.cfg.image.width, "late.visual": self.cfg.visual_dim}

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D)."""
        inside = self.inside(context)
        memory: Tensor = self.image_tower(images) if inside is None else self.image_tower(images, inside)
        return self.fuse("early", memory, context)

    def forward(
        self, images: Tensor, tokens: Tensor, orders: Tensor, context: SceneContext | None = None
    ) -> dict[str, Tensor]:
        """Logits of every character under every order, told the true ones that come before it there (section 3.1).

        Args:
            images: (B, 3, H, W).
            tokens: (B, T) ids [B] label; what stands after the label is not seen.
            orders: (K, T + 1) of `draw_orders`.
            context: the scenes of the images.

        Returns:
            "visual": (B, K, T, C + 1).
        """
        return {"visual": self.visual(self.encode(images, context), tokens, orders, context)}

    def visual(self, memory: Tensor, tokens: Tensor, orders: Tensor, context: SceneContext | None) -> Tensor:
        """Logits (B, K, T, C + 1) of one pass of the decoder over memory (B, L, D), for all orders; see `forward`."""
        decoder, count = self.visual_decoder, len(orders)
        kv, seen = decoder.memory_kv(memory), self._seen(query_masks(orders), tokens)
        logits: Tensor
        if len(decoder.layers) == 1:  # the content is never updated, so all orders share it
            logits = decoder(tokens, kv, seen.flatten(1, 2), condition=self.conditioning("late.visual", context))
            return logits.unflatten(1, (count, -1))
        condition = self.conditioning("late.visual", None if context is None else context.repeat_interleave(count))
        rows = tokens.repeat_interleave(count, dim=0), kv.repeat_interleave(count, dim=0)
        content = self._seen(content_masks(orders), tokens).flatten(0, 1)
        logits = decoder(*rows, seen.flatten(0, 1), content_mask=content, condition=condition)
        return logits.unflatten(0, (-1, count))

    def _seen(self, masks: Tensor, tokens: Tensor) -> Tensor:
        """Masks (K, T, T) of orders, for each row of tokens (B, T), whose padding is not seen: (B, K, T, T), additive.

        What comes from the CPU is not waited for: a copy that waits would wait for all that the GPU has still to do.
        """
        ended = (tokens == self.tokenizer.pad) | (tokens == self.tokenizer.eos)
        padding = torch.zeros(tokens.shape, device=tokens.device).masked_fill(ended, float("-inf"))
        return masks.to(tokens.device, non_blocking=True) + padding[:, None, None]

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """Cross entropy under orders that `generator` draws (equation 3)."""
        return self.loss_under(images, targets, self._draw(targets, generator), context=context, characters=characters)

    def _draw(self, targets: Tensor, generator: torch.Generator) -> Tensor:
        return draw_orders(targets.shape[1] - 2, self.cfg.num_permutations, generator)

    def loss_under(
        self,
        images: Tensor,
        targets: Tensor,
        orders: Tensor,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """`loss` under the orders (K, T + 1) that `draw_orders` gives."""
        goals = Goals.of(targets, len(orders), self.tokenizer, characters)
        total = goals.cross_entropy(self.forward(images, targets[:, :-1], orders, context)["visual"])
        return Losses(total, {"visual": total.detach()})

    @torch.inference_mode()
    def generate(self, images: Tensor, refine_iters: int = 1) -> list[Tensor]:
        """Reads images (B, 3, H, W) one by one and step by step: predict, then refine (section 3.3).

        `decoding.psm` reads the same in fewer passes, and batches.

        Returns:
            Logits (length + 1, C + 1) of each: its characters and [E].
        """
        positions, found = self.cfg.max_length + 1, []
        for image in images:
            decode = self._bound(self.decode_visual, self.visual_decoder.memory_kv(self.encode(image[None])))
            logits = predict(decode, self.tokenizer, positions)
            for _ in range(refine_iters):
                logits = refine(decode, logits, self.tokenizer, positions)
            found.append(logits)
        return found

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """A look, and a pass of the decoder."""
        return {
            "image": GraphModule(self, self.look, 1, "early"),
            "visual": GraphModule(self, self.decode_visual, 3, "late_visual"),
        }

    def look(self, images: Tensor, context: SceneContext | None = None) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) to the decoder's keys and values (B, depth, 2, L, D)."""
        return (self.visual_decoder.memory_kv(self.encode(images, context)),)

    def decode_visual(self, tokens: Tensor, kv: Tensor, mask: Tensor, context: SceneContext | None = None) -> Tensor:
        """Tokens (B, T), K/V and the query mask (B, T, T) to logits (B, T, C + 1)."""
        decoder, condition = self.visual_decoder, self.conditioning("late.visual", context)
        logits: Tensor = decoder(tokens, kv, mask, content_mask=decoder.causal(mask), condition=condition)
        return logits

    def _bound(self, decode: Callable[..., Tensor], kv: Tensor, *memory_mask: Tensor | None) -> Decode:
        """`decode_visual` or its like, bound to the memory of one image."""
        return lambda tokens, mask: decode(tokens.to(kv.device), kv, mask.to(kv), *memory_mask)

    def decays(self, name: str, parameter: nn.Parameter, embedding: bool) -> bool:
        """Of embeddings only those of the decoders do not (as released)."""
        return parameter.ndim >= 2 and not name.endswith(("decoder.positions", "decoder.embedding.weight"))
