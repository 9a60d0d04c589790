"""CLIP4STR (Zhao et al., arXiv 2305.14014): one branch reads, another checks the reading by its spelling.

    image -> image tower -> memory -> visual decoder -> visual reading                   (section 3.2)
    visual reading -> text tower -> text tokens
    [memory, gradient stopped; text tokens] -> cross-modal decoder -> reading            (section 3.3)

The visual branch is a PARSeq in CLIP's image tower. Both branches learn by permuted sequence modelling (`loss`), and
read by predicting, checking and refining (`generate`).
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
from wordsight.models.parseq.loss import Goals
from wordsight.models.parseq.model import Parseq
from wordsight.models.parseq.permutations import content_masks, query_masks
from wordsight.models.recognizer import GraphModule, RecognizerConfig


class Clip4Str(Parseq):
    """The recognizer.

    Scenes (ours; CLIPTER's paper has no CLIP4STR): early is once, before both branches, and learns from the visual loss
    only, since the cross-modal branch sends no gradient into the memory; late is one fusion for each decoder's output.
    """

    architecture = "clip4str"
    config_class: ClassVar[type[RecognizerConfig]] = Clip4StrConfig
    encoders = ("image_tower.", "text_tower.")
    insertion_points = ("early", "late.visual", "late.cross")
    cfg: Clip4StrConfig

    def __init__(self, cfg: Clip4StrConfig) -> None:
        super().__init__(cfg)
        self.caption_tokenizer = cfg.caption_tokenizer
        self.text_tower = HubTextTower(cfg.hub, cfg.embed_dim) if cfg.hub else TextTower(cfg.text, cfg.embed_dim)
        self.cross_decoder = self._decoder(cfg.embed_dim)
        self.ctc_head = nn.Linear(cfg.embed_dim, self.tokenizer.num_classes) if cfg.ctc_weight else None

    def checkpointing(self, on: bool = True) -> None:
        """Whether both towers compute their blocks twice while training, to keep less in memory."""
        self.image_tower.checkpointing = self.text_tower.checkpointing = on

    @property
    def widths(self) -> dict[str, int]:
        """See `Contextual`."""
        return super().widths | {"late.cross": self.cfg.embed_dim}

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D)."""
        inside = self.inside(context)
        given = (images,) if inside is None else (images, inside)
        memory: Tensor = self.image_tower(*given) if self.cfg.share_dim else self.image_tower.tokens(*given)
        return self.fuse("early", memory[:, :1] if self.cfg.pooled else memory, context)

    def cross_memory(self, memory: Tensor) -> Tensor:
        """The image's part (B, L, D) of the cross-modal decoder's memory."""
        return memory if self.cfg.share_dim else self.image_tower.project(memory)

    def captions(self, logits: Tensor) -> Tensor:
        """Text tokens of a prediction, its characters up to the first [E], as the text tower reads them.

        Args:
            logits: (..., T, C + 1).

        Returns:
            (..., S) token ids; where captions are characters S = T + 1: [B], characters, [E], [P]...
        """
        ids = logits.argmax(-1)
        if self.cfg.captions != "characters":
            return self._written_captions(ids)
        ended = (ids == self.tokenizer.eos).cumsum(-1)
        ids = ids.masked_fill(ended > 0, self.tokenizer.pad)
        out = torch.cat([torch.full_like(ids[..., :1], self.tokenizer.bos), ids], dim=-1)
        # [E] stands after the last character; a prediction that never ends loses its last character to it
        end = (out != self.tokenizer.pad).sum(-1, keepdim=True).clamp(max=out.shape[-1] - 1)
        return out.scatter(-1, end, self.tokenizer.eos)

    def _written_captions(self, ids: Tensor) -> Tensor:
        """By way of strings; one copy to the processor and back."""
        readings = [self.tokenizer.decode(row) for row in ids.flatten(0, -2).tolist()]
        distinct = {text: i for i, text in enumerate(dict.fromkeys(readings))}
        tokens, _ = self.caption_tokenizer.encode(list(distinct))
        rows = torch.from_numpy(tokens[[distinct[text] for text in readings]])
        return rows.to(ids.device).unflatten(0, ids.shape[:-1])

    def text_features(self, tokens: Tensor) -> Tensor:
        """Caption tokens (N, S) to features (N, S, D); (N, 1, D) if pooled."""
        features: Tensor = self.text_tower(tokens)
        return end_of_text(features, tokens)[:, None] if self.cfg.pooled else features

    def encode_captions(self, captions: Tensor) -> tuple[Tensor, Tensor | None]:
        """Text features of captions (N, S), each distinct caption encoded once.

        Returns:
            features (N, S, D), or (N, 1, D) if pooled, and the additive mask (N, S) that hides their padding; None
            where padding is seen.
        """
        distinct, inverse = captions.unique(dim=0, return_inverse=True)
        features = self.text_features(distinct)[inverse]
        pad = self.caption_tokenizer.pad
        if pad is None:
            return features, None
        hidden = torch.zeros(captions.shape, dtype=features.dtype, device=features.device)
        return features, hidden.masked_fill(captions == pad, float("-inf"))

    def forward(
        self,
        images: Tensor,
        tokens: Tensor,
        orders: Tensor,
        context: SceneContext | None = None,
        cross: bool = True,
    ) -> dict[str, Tensor]:
        """Logits of every character under every order by each branch, told the true ones that come before it there.

        Args:
            images: (B, 3, H, W).
            tokens: (B, T) ids [B] label; what stands after the label is not seen.
            orders: (K, T + 1) of `draw_orders`.
            context: the scenes of the images.
            cross: whether the cross-modal branch takes part.

        Returns:
            "visual" and "cross": (B, K, T, C + 1); "ctc": (B, W, C + 1) of the image's columns, with a CTC head (ours).
        """
        memory = self.encode(images, context)
        logits = {"visual": self.visual(memory, tokens, orders, context)}
        if cross:
            logits["cross"] = self.check(memory.detach(), logits["visual"].detach(), tokens, orders, context)
        if self.ctc_head is not None:
            logits["ctc"] = column_logits(self.ctc_head, memory, self.cfg.image.grid)
        return logits

    def check(
        self, memory: Tensor, visual: Tensor, tokens: Tensor, orders: Tensor, context: SceneContext | None
    ) -> Tensor:
        """Logits (B, K, T, C + 1) of the cross-modal branch, told what the visual one reads under each order.

        Args:
            memory: (B, L, D). No gradient passes from here to the image tower (section 3.3).
            visual: (B, K, T, C + 1), of the visual branch.
            tokens: as in `forward`, like the rest.
        """
        decoder, count = self.cross_decoder, len(orders)
        captions = self.captions(visual).flatten(0, 1)  # (B * K, S)
        features, caption_mask = self.encode_captions(captions)
        # The image half of the memory is the same for all orders: projected once
        image_kv = decoder.memory_kv(self.cross_memory(memory)).repeat_interleave(count, dim=0)
        kv = torch.cat([image_kv, decoder.memory_kv(features)], dim=3)
        memory_mask = None if caption_mask is None else F.pad(caption_mask, (memory.shape[1], 0))
        seen = self._seen(query_masks(orders), tokens).flatten(0, 1)
        deep = len(decoder.layers) > 1
        content = self._seen(content_masks(orders), tokens).flatten(0, 1) if deep else None
        # Of scenes hear rows: one for each of a word's orders
        condition = self.conditioning("late.cross", None if context is None else context.repeat_interleave(count))
        logits: Tensor = decoder(tokens.repeat_interleave(count, dim=0), kv, seen, memory_mask, content, condition)
        return logits.unflatten(0, (-1, count))

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
        cross: bool = True,
    ) -> Losses:
        """Cross entropy of both branches under orders that `generator` draws (sections 3.2 and 3.3), and CTC.

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
            generator: draws the orders, on the CPU.
            context: the scenes of the images.
            characters: see `Recognizer.loss`.
            cross: whether the cross-modal branch takes part. It gives no gradient to the image tower or the visual
                decoder, so the visual branch trains the same with and without it.
        """
        orders = self._draw(targets, generator)
        return self.loss_under(images, targets, orders, context=context, characters=characters, cross=cross)

    def loss_under(
        self,
        images: Tensor,
        targets: Tensor,
        orders: Tensor,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
        cross: bool = True,
    ) -> Losses:
        """`loss` under the orders (K, T + 1) that `draw_orders` gives."""
        goals = Goals.of(targets, len(orders), self.tokenizer, characters)
        logits = self.forward(images, targets[:, :-1], orders, context, cross)
        branches = [name for name in logits if name != "ctc"]
        parts = {name: goals.cross_entropy(logits[name]) for name in branches}
        total = torch.stack(list(parts.values())).sum()
        if "ctc" in logits:
            parts["ctc"] = ctc_loss(logits["ctc"], targets, self.tokenizer.pad)
            total = total + self.cfg.ctc_weight * parts["ctc"]
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    @torch.inference_mode()
    def generate(self, images: Tensor, refine_iters: int = 1) -> list[Tensor]:
        """Reads images (B, 3, H, W) one by one and step by step: predict, check, refine both (section 3.4).

        `decoding.psm` reads the same in fewer passes, and batches.

        Returns:
            Logits (length + 1, C + 1) of each: its characters and [E].
        """
        ids, positions, found = self.tokenizer, self.cfg.max_length + 1, []
        for image in images:
            memory = self.encode(image[None])
            read = self._bound(self.decode_visual, self.visual_decoder.memory_kv(memory))
            visual = predict(read, ids, positions)
            steps = len(visual) if self.cfg.cross_steps == "visual" else positions
            cross = predict(self._checker(memory, visual), ids, steps)
            for _ in range(refine_iters):
                visual = refine(read, visual, ids, positions)
                cross = refine(self._checker(memory, visual), cross, ids, positions)
            found.append(cross)
        return found

    def _checker(self, memory: Tensor, visual: Tensor) -> Decode:
        """The cross-modal decoder, bound to an image's memory (1, L, D) and the visual reading (P, C + 1)."""
        features, mask = self.encode_captions(self.captions(visual[None]))
        decoder = self.cross_decoder
        kv = torch.cat([decoder.memory_kv(self.cross_memory(memory)), decoder.memory_kv(features)], dim=3)
        return self._bound(self.decode_cross, kv, None if mask is None else F.pad(mask, (memory.shape[1], 0)))

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """A look, a pass of the visual decoder, captions, and a pass of the cross-modal decoder."""
        graphs = super().graphs() | {"image": GraphModule(self, partial(self.look, cross=cross), 1, "early")}
        if cross:
            graphs["text"] = GraphModule(self, self.caption_kv, 1)
            graphs["cross"] = GraphModule(self, self.decode_cross, 4, "late_cross")
        return graphs

    @property
    def limits(self) -> dict[str, int]:
        """See `Recognizer`; captions are as long as the text tower takes them."""
        longest = self.cfg.text.context if self.cfg.hub is None else self.cfg.caption_context
        return super().limits | {"text": longest}

    def look(self, images: Tensor, context: SceneContext | None = None, cross: bool = True) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) to K/V (B, depth, 2, L, D) of each decoder; of the cross-modal one with `cross` alone.

        With a CTC head also the class that each column (B, W) shows.
        """
        memory = self.encode(images, context)
        made = [self.visual_decoder.memory_kv(memory)]
        if cross:
            made.append(self.cross_decoder.memory_kv(self.cross_memory(memory)))
        if self.ctc_head is not None:
            made.append(column_logits(self.ctc_head, memory, self.cfg.image.grid).argmax(-1))
        return tuple(made)

    def caption_kv(self, tokens: Tensor) -> Tensor:
        """Caption tokens (B, S) to K/V (B, depth, 2, S or 1, D) of the cross-modal decoder, padding included."""
        return self.cross_decoder.memory_kv(self.text_features(tokens))

    def decode_cross(
        self,
        tokens: Tensor,
        kv: Tensor,
        mask: Tensor,
        memory_mask: Tensor | None,
        context: SceneContext | None = None,
    ) -> Tensor:
        """As `decode_visual`, of the cross-modal decoder; `memory_mask` (B, L) is additive."""
        decoder, condition = self.cross_decoder, self.conditioning("late.cross", context)
        logits: Tensor = decoder(tokens, kv, mask, memory_mask, decoder.causal(mask), condition)
        return logits

    def encodes(self, name: str) -> bool:
        """The towers, as in the section on training; what leads from a text encoder of the hub to them is new."""
        return super().encodes(name) and not name.startswith("text_tower.bridge.")
