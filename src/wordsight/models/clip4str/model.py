"""CLIP4STR (Zhao et al., arXiv 2305.14014, section III): CLIP's encoders, and a decoder for each of two branches.

    image -> image tower -> memory -> visual decoder -> visual prediction                    (visual branch)
    visual prediction -> text tower -> text features
    [memory, gradient stopped; text features] -> cross-modal decoder -> final prediction     (cross-modal branch)

The visual branch is a PARSeq whose image tower is CLIP's. The cross-modal branch refines its prediction by what the
image and the text features say together. Both learn by permuted sequence modelling (`loss`) and read by the dual
predict-and-refine decoding scheme (`generate`).
"""

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.clip.hub_text import HubTextTower
from wordsight.models.clip.text import TextTower, end_of_text
from wordsight.models.clip4str.config import Clip4StrConfig
from wordsight.models.clipter import SceneContext
from wordsight.models.losses import Losses, column_logits, ctc_loss
from wordsight.models.parseq.generate import Decode, predict, refine
from wordsight.models.parseq.model import Parseq
from wordsight.models.parseq.permutations import permutation_losses
from wordsight.models.recognizer import GraphModule, RecognizerConfig


class Clip4Str(Parseq):
    """The recognizer.

    With CLIPTER (ours; its paper has no CLIP4STR), the early insertion point is the memory, before both branches: it
    learns from the visual loss alone, since the cross-modal branch sends no gradient into the memory. Late is one
    fusion for each decoder's output.
    """

    architecture = "clip4str"
    config_class: ClassVar[type[RecognizerConfig]] = Clip4StrConfig
    encoders = ("image_tower.", "text_tower.")
    cfg: Clip4StrConfig

    def __init__(self, cfg: Clip4StrConfig) -> None:
        super().__init__(cfg)
        self.caption_tokenizer = cfg.caption_tokenizer
        self.text_tower = HubTextTower(cfg.hub, cfg.embed_dim) if cfg.hub else TextTower(cfg.text, cfg.embed_dim)
        self.cross_decoder = self._decoder(cfg.embed_dim)
        self.widths = {**self.widths, "late_cross": cfg.embed_dim}
        self.ctc_head = nn.Linear(cfg.embed_dim, self.tokenizer.num_classes) if cfg.ctc_weight else None

    def checkpointing(self, on: bool = True) -> None:
        """Whether both towers recompute their blocks in the backward pass, to use less memory."""
        self.image_tower.checkpointing = self.text_tower.checkpointing = on

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D) of the visual decoder; (B, 1, D) if pooled."""
        see = self.image_tower if self.cfg.share_dim else self.image_tower.tokens
        memory: Tensor = see(images, self.inside(context))
        return self.fuse("early", memory[:, :1] if self.cfg.pooled else memory, context)

    def cross_memory(self, memory: Tensor) -> Tensor:
        """The image's part (B, L, embed_dim) of the cross-modal decoder's memory."""
        return memory if self.cfg.share_dim else self.image_tower.project(memory)

    def text_features(self, tokens: Tensor) -> Tensor:
        """Caption tokens (N, S) to features (N, S, D); (N, 1, D) if pooled."""
        features: Tensor = self.text_tower(tokens)
        return end_of_text(features, tokens)[:, None] if self.cfg.pooled else features

    def forward(
        self,
        images: Tensor,
        tokens: Tensor,
        orders: Tensor,
        context: SceneContext | None = None,
        cross: bool = True,
    ) -> dict[str, Tensor]:
        """Logits of every character under every permutation, by each branch, given the true characters before it.

        Args:
            images: (B, 3, H, W).
            tokens: (B, T) ids: [B], then the label; what follows the label is masked.
            orders: (K, T + 1), the permutations, from `draw_orders`.
            context: the scenes of the images.
            cross: whether the cross-modal branch takes part.

        Returns:
            "visual" and "cross": (B, K, T, C + 1). With a CTC head (ours) also "ctc": (B, W, C + 1), the logits of the
            image's columns.
        """
        memory = self.encode(images, context)
        logits = {"visual": self.visual_branch(memory, tokens, orders, context)}
        if cross:
            prediction = logits["visual"].detach()
            logits["cross"] = self.cross_modal_branch(memory.detach(), prediction, tokens, orders, context)
        if self.ctc_head is not None:
            logits["ctc"] = column_logits(self.ctc_head, memory, self.cfg.image.grid)
        return logits

    def cross_modal_branch(
        self, memory: Tensor, prediction: Tensor, tokens: Tensor, orders: Tensor, context: SceneContext | None
    ) -> Tensor:
        """Logits (B, K, T, C + 1) under all permutations, each with a caption of its own.

        Args:
            memory: (B, L, D), detached: the gradient to the image tower is stopped, as in the paper.
            prediction: (B, K, T, C + 1), logits of the visual branch. What they spell is the caption.
            tokens: as in `forward`, like the rest.
        """
        text, text_mask = self.encode_captions(self.captions(prediction).flatten(0, 1))  # (B * K, S, D)
        # The image half of the memory is the same under all permutations: projected once
        image_kv = self.cross_decoder.memory_kv(self.cross_memory(memory)).repeat_interleave(len(orders), dim=0)
        kv = torch.cat([image_kv, self.cross_decoder.memory_kv(text)], dim=3)
        mask = None if text_mask is None else F.pad(text_mask, (memory.shape[1], 0))
        return self._decode_permuted(self.cross_decoder, tokens, kv, orders, "late_cross", context, mask)

    def captions(self, logits: Tensor) -> Tensor:
        """What a prediction spells up to its first [E], as tokens for the text tower.

        Args:
            logits: (..., T, C + 1).

        Returns:
            (..., S) token ids. Where captions are characters, S = T + 1: [B], characters, [E], [P]...
        """
        ids = logits.argmax(-1)
        if self.cfg.captions != "characters":
            # By way of strings: one copy to the CPU and back
            readings = [self.tokenizer.decode(row) for row in ids.flatten(0, -2).tolist()]
            distinct = {text: i for i, text in enumerate(dict.fromkeys(readings))}
            tokens, _ = self.caption_tokenizer.encode(list(distinct))
            rows = torch.from_numpy(tokens[[distinct[text] for text in readings]])
            return rows.to(ids.device).unflatten(0, ids.shape[:-1])
        ended = (ids == self.tokenizer.eos).cumsum(-1)
        ids = ids.masked_fill(ended > 0, self.tokenizer.pad)
        out = torch.cat([torch.full_like(ids[..., :1], self.tokenizer.bos), ids], dim=-1)
        # [E] follows the last character; in a prediction that never ends it replaces that character
        end = (out != self.tokenizer.pad).sum(-1, keepdim=True).clamp(max=out.shape[-1] - 1)
        return out.scatter(-1, end, self.tokenizer.eos)

    def encode_captions(self, captions: Tensor) -> tuple[Tensor, Tensor | None]:
        """Text features of captions (N, S), each distinct caption encoded once.

        Returns:
            Features, see `text_features`, and the additive mask (N, S) that hides their padding; None where the decoder
            attends to padding too (as released).
        """
        distinct, inverse = captions.unique(dim=0, return_inverse=True)
        features = self.text_features(distinct)[inverse]
        pad = self.caption_tokenizer.pad
        if pad is None:
            return features, None
        hidden = torch.zeros(captions.shape, dtype=features.dtype, device=features.device)
        return features, hidden.masked_fill(captions == pad, float("-inf"))

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
        orders: Tensor | None = None,
        cross: bool = True,
    ) -> Losses:
        """Permuted sequence modelling: the cross entropies of both branches, on average over K permutations, and CTC.

        `cross` says whether the cross-modal branch takes part. It sends no gradient to the image tower or the visual
        decoder, so the visual branch trains the same with and without it. The rest is as in `Parseq.loss`.
        """
        orders = self.draw_orders(targets, generator) if orders is None else orders
        logits = self.forward(images, targets[:, :-1], orders, context, cross)
        columns = logits.pop("ctc", None)
        both = permutation_losses(logits, targets, len(orders), self.tokenizer, characters)
        if columns is None:
            return both
        ctc = ctc_loss(columns, targets, self.tokenizer.pad)
        return Losses(both.total + self.cfg.ctc_weight * ctc, {**both.parts, "ctc": ctc.detach()})

    @torch.inference_mode()
    def generate(self, images: Tensor, refine_iters: int = 1) -> list[Tensor]:
        """Reads images (B, 3, H, W) one by one, by the paper's dual predict-and-refine decoding scheme.

        1. The visual branch predicts, autoregressively.
        2. The cross-modal branch predicts, autoregressively, given the image and the visual prediction.
        3. The visual prediction is refined; then the cross-modal one, given the refined visual prediction.

        This is the paper, step by step. `decoding.psm` reads the same in fewer passes, and in batches.

        Returns:
            Logits (length + 1, C + 1) for each image: its characters and [E].
        """
        ids, positions, found = self.tokenizer, self.cfg.max_length + 1, []
        for image in images:
            memory = self.encode(image[None])
            decode_visual = self._bound(self.decode_visual, self.visual_decoder.memory_kv(memory))
            visual = predict(decode_visual, ids, positions)
            steps = len(visual) if self.cfg.cross_steps == "visual" else positions
            cross = predict(self._bound_cross(memory, visual), ids, steps)
            for _ in range(refine_iters):
                visual = refine(decode_visual, visual, ids, positions)
                cross = refine(self._bound_cross(memory, visual), cross, ids, positions)
            found.append(cross)
        return found

    def _bound_cross(self, memory: Tensor, prediction: Tensor) -> Decode:
        """The cross-modal decoder, bound to an image's memory (1, L, D) and a visual prediction (P, C + 1)."""
        text, mask = self.encode_captions(self.captions(prediction[None]))
        decoder = self.cross_decoder
        kv = torch.cat([decoder.memory_kv(self.cross_memory(memory)), decoder.memory_kv(text)], dim=3)
        return self._bound(self.decode_cross, kv, None if mask is None else F.pad(mask, (memory.shape[1], 0)))

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """PARSeq's, and with `cross` two more. `text`: captions. `cross`: a pass of the cross-modal decoder."""
        graphs = super().graphs() | {"image": GraphModule(self, partial(self.image_kv, cross=cross), 1, "early")}
        if cross:
            graphs["text"] = GraphModule(self, self.caption_kv, 1)
            graphs["cross"] = GraphModule(self, self.decode_cross, 4, "late_cross")
        return graphs

    @property
    def limits(self) -> dict[str, int]:
        """See `Recognizer`; captions are as long as the text tower takes them."""
        longest = self.cfg.text.context if self.cfg.hub is None else self.cfg.caption_context
        return super().limits | {"text": longest}

    def image_kv(self, images: Tensor, context: SceneContext | None = None, cross: bool = True) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) to keys and values (B, depth, 2, L, D) of the visual and the cross-modal decoder.

        The latter with `cross` alone. With a CTC head also the class that each column (B, W) shows.
        """
        memory = self.encode(images, context)
        made = [self.visual_decoder.memory_kv(memory)]
        if cross:
            made.append(self.cross_decoder.memory_kv(self.cross_memory(memory)))
        if self.ctc_head is not None:
            made.append(column_logits(self.ctc_head, memory, self.cfg.image.grid).argmax(-1))
        return tuple(made)

    def caption_kv(self, tokens: Tensor) -> Tensor:
        """Caption tokens (B, S) to the cross-modal decoder's keys and values (B, depth, 2, S or 1, D), with padding."""
        return self.cross_decoder.memory_kv(self.text_features(tokens))

    def decode_cross(
        self,
        tokens: Tensor,
        kv: Tensor,
        mask: Tensor,
        memory_mask: Tensor | None,
        context: SceneContext | None = None,
    ) -> Tensor:
        """As `decode_visual`, by the cross-modal decoder; `memory_mask` (B, L) is additive."""
        decoder, condition = self.cross_decoder, self.conditioning("late_cross", context)
        return decoder(tokens, kv, mask, memory_mask, condition, decoder.causal(mask))

    def encodes(self, name: str) -> bool:
        """CLIP's towers learn at the plain rate; the bridge from a text encoder of the hub is new, as decoders are."""
        return super().encodes(name) and not name.startswith("text_tower.bridge.")
