"""PARSeq (Bautista and Atienza, arXiv 2207.06966): a vision transformer, and a decoder that knows every reading order.

    image -> image tower -> memory                                                       (section 3.1, encoder)
    [B] and the visible characters, memory -> decoder -> logits of every position        (section 3.1, decoder)

Which characters are visible is a matter of the attention mask alone. In training it follows permutations of the
characters (section 3.2); in reading, each position sees those to its left, and in refinement all but its own
(section 3.3).
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from wordsight.decoding.psm import PSM
from wordsight.models.clip.image import ImageTower, Tower
from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.model import BLOCK
from wordsight.models.losses import Losses
from wordsight.models.parseq.config import ParseqConfig
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.parseq.generate import Decode, predict, refine
from wordsight.models.parseq.permutations import (
    content_masks,
    draw_orders,
    hide_padding,
    permutation_losses,
    query_masks,
)
from wordsight.models.recognizer import GraphModule, Recognizer, RecognizerConfig


class Parseq(Recognizer):
    """The recognizer.

    CLIPTER's early insertion point is the encoder's output, or a block inside its tower; the late one is the decoder's
    output.
    """

    architecture = "parseq"
    kind = PSM
    config_class: ClassVar[type[RecognizerConfig]] = ParseqConfig
    encoders: ClassVar[tuple[str, ...]] = ("image_tower.",)
    cfg: ParseqConfig

    def __init__(self, cfg: ParseqConfig) -> None:
        super().__init__(cfg)
        self.image_tower: Tower = ImageTower(cfg.image, cfg.embed_dim)
        self.visual_decoder = self._decoder(cfg.visual_dim)
        self.widths = {"early": cfg.visual_dim, BLOCK: cfg.image.width, "late_visual": cfg.visual_dim}

    def _decoder(self, width: int) -> Decoder:
        ids, cfg = self.tokenizer, self.cfg
        return Decoder(cfg.decoder, width, ids.vocab_size, ids.num_classes, cfg.max_length)

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D)."""
        return self.fuse("early", self.image_tower(images, self.inside(context)), context)

    def forward(
        self, images: Tensor, tokens: Tensor, orders: Tensor, context: SceneContext | None = None
    ) -> dict[str, Tensor]:
        """Logits of every character under every permutation, given the true characters that precede it there.

        Args:
            images: (B, 3, H, W).
            tokens: (B, T) ids: [B], then the label; what follows the label is masked.
            orders: (K, T + 1), the permutations, from `draw_orders`.
            context: the scenes of the images.

        Returns:
            "visual": (B, K, T, C + 1).
        """
        return {"visual": self.visual_branch(self.encode(images, context), tokens, orders, context)}

    def visual_branch(self, memory: Tensor, tokens: Tensor, orders: Tensor, context: SceneContext | None) -> Tensor:
        """Memory (B, L, D) to logits (B, K, T, C + 1) under all K permutations; see `forward`."""
        kv = self.visual_decoder.memory_kv(memory)
        return self._decode_permuted(self.visual_decoder, tokens, kv, orders, "late_visual", context)

    def _decode_permuted(
        self,
        decoder: Decoder,
        tokens: Tensor,
        kv: Tensor,
        orders: Tensor,
        point: str,
        context: SceneContext | None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """One pass of a decoder under all permutations at once.

        Args:
            decoder: with or without a cross-modal memory.
            tokens: (B, T) ids, as in `forward`.
            kv: of the memory (B, depth, 2, L, D), or (B * K, depth, 2, L, D) where each permutation has its own.
            orders: (K, T + 1).
            point: the late insertion point.
            context: the scenes.
            memory_mask: additive, with a row for each of `kv`.

        Returns:
            Logits (B, K, T, C + 1).
        """
        count = len(orders)
        seen = hide_padding(query_masks(orders), tokens, self.tokenizer)
        logits: Tensor
        deep = len(decoder.layers) > 1  # so content is updated, under each permutation in another way
        if len(kv) == len(tokens) and not deep:  # they share content and memory, and differ in their queries alone
            condition = self.conditioning(point, context)
            logits = decoder(tokens, kv, seen.flatten(1, 2), memory_mask, condition)
            return logits.unflatten(1, (count, -1))
        condition = self.conditioning(point, None if context is None else context.repeat_interleave(count))
        rows = tokens.repeat_interleave(count, dim=0)
        kv = kv.repeat_interleave(len(rows) // len(kv), dim=0)
        content = hide_padding(content_masks(orders), tokens, self.tokenizer).flatten(0, 1) if deep else None
        logits = decoder(rows, kv, seen.flatten(0, 1), memory_mask, condition, content)
        return logits.unflatten(0, (-1, count))

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
        orders: Tensor | None = None,
    ) -> Losses:
        """Permutation language modelling (section 3.2): cross entropy, on average over K permutations of the batch.

        They are drawn from `generator`, unless `orders` (K, T + 1) are given; the rest as in `Recognizer.loss`.
        """
        orders = self.draw_orders(targets, generator) if orders is None else orders
        logits = self.forward(images, targets[:, :-1], orders, context)
        return permutation_losses(logits, targets, len(orders), self.tokenizer, characters)

    def draw_orders(self, targets: Tensor, generator: torch.Generator) -> Tensor:
        """K permutations (K, T + 1) for a batch of targets (B, T + 1)."""
        return draw_orders(targets.shape[1] - 2, self.cfg.num_permutations, generator)

    @torch.inference_mode()
    def generate(self, images: Tensor, refine_iters: int = 1) -> list[Tensor]:
        """Reads images (B, 3, H, W) one by one: autoregressive decoding, then refinement (section 3.3).

        This is the paper, step by step. `decoding.psm` reads the same in fewer passes, and in batches.

        Returns:
            Logits (length + 1, C + 1) for each image: its characters and [E].
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
        """`image`: an image to its keys and values. `visual`: a pass of the decoder."""
        return {
            "image": GraphModule(self, self.image_kv, 1, "early"),
            "visual": GraphModule(self, self.decode_visual, 3, "late_visual"),
        }

    def image_kv(self, images: Tensor, context: SceneContext | None = None) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) to the decoder's keys and values (B, depth, 2, L, D)."""
        return (self.visual_decoder.memory_kv(self.encode(images, context)),)

    def decode_visual(self, tokens: Tensor, kv: Tensor, mask: Tensor, context: SceneContext | None = None) -> Tensor:
        """Tokens (B, T), keys and values, and the query mask (B, T, T) to logits (B, T, C + 1)."""
        decoder, condition = self.visual_decoder, self.conditioning("late_visual", context)
        return decoder(tokens, kv, mask, condition=condition, content_mask=decoder.causal(mask))

    def _bound(self, decode: Callable[..., Tensor], kv: Tensor, *memory_mask: Tensor | None) -> Decode:
        """`decode_visual` or its like, bound to the memory of one image."""
        return lambda tokens, mask: decode(tokens.to(kv.device), kv, mask.to(kv), *memory_mask)

    def decays(self, name: str, parameter: nn.Parameter, embedding: bool) -> bool:
        """Weight decay applies to matrices, but not to the decoders' embeddings and position queries (as released)."""
        return parameter.ndim >= 2 and not name.endswith(("decoder.positions", "decoder.embedding.weight"))
