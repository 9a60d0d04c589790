"""CLIP4STR step by step, as its authors' code computes it, to measure our decoding against and to test it by.

The same weights, and nothing clever: `torch.nn.MultiheadAttention`, which projects the whole memory anew at every step;
one character per call; all rows go on until the longest is done; the text tower runs for the first reading and again
for the refined one; refinement computes all positions. Only the first `[E]` counts.

    python benchmarks/stepwise.py [--model clip4str-b16] [--batch 16] [--threads 2]

Weights are random: their words are made as long as wanted by planting them (see `plant`), so that both sides write the
same words of 3 to 25 characters and our drafts are neither better nor worse than a trained model's are assumed to be
(`--wrong`, the share of positions which the first draft gets wrong).
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wordsight.models.clip4str import Clip4Str
from wordsight.models.layers import Attention, Block
from wordsight.models.parseq.decoder import Decoder, DecoderLayer


def packed(attention: Attention) -> nn.MultiheadAttention:
    """The same attention with one matrix for q, k and v, sequence first."""
    width = attention.q.in_features
    out = nn.MultiheadAttention(width, attention.heads, dropout=attention.dropout)
    parts = (attention.q, attention.k, attention.v)
    with torch.no_grad():
        out.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        out.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        out.out_proj.load_state_dict(attention.out.state_dict())
    return out


class StepBlock(nn.Module):
    """A tower's block on (L, B, D)."""

    def __init__(self, block: Block, causal: bool) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2, self.mlp = (
            block.norm1,
            packed(block.attention),
            block.norm2,
            block.mlp,
        )
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        mask = torch.full((len(x), len(x)), float("-inf")).triu(1).to(x) if self.causal else None
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.norm2(x))


class StepLayer(nn.Module):
    """A decoder's layer on (L, B, D); attention weights are averaged over the heads, and thrown away."""

    def __init__(self, layer: DecoderLayer) -> None:
        super().__init__()
        self.norm_query, self.norm_content = layer.norm_query, layer.norm_content
        self.norm1, self.norm2, self.mlp = layer.norm1, layer.norm2, layer.mlp
        self.own, self.memory = packed(layer.self_attention), packed(layer.cross_attention)

    def forward(self, x: Tensor, content: Tensor, memory: Tensor, mask: Tensor, padding: Tensor | None) -> Tensor:
        """One layer."""
        content = self.norm_content(content)
        x = x + self.own(self.norm_query(x), content, content, attn_mask=mask, key_padding_mask=padding)[0]
        x = x + self.memory(self.norm1(x), memory, memory)[0]
        return x + self.mlp(self.norm2(x))


class StepDecoder(nn.Module):
    """A decoder that is asked for some positions."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.source = decoder
        self.layers = nn.ModuleList(StepLayer(layer) for layer in decoder.layers)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor,
        queries: slice,
        content_mask: Tensor,
        query_mask: Tensor,
        padding: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, T), memory (B, L, D) to logits (B, Q, C + 1)."""
        source = self.source
        content = source.scale * source.embedding(tokens)
        content = torch.cat([content[:, :1], content[:, 1:] + source.positions[: tokens.shape[1] - 1]], dim=1)
        content = content.transpose(0, 1)
        x = source.positions[queries][:, None].expand(-1, len(tokens), -1)
        seen = memory.transpose(0, 1)
        for i, layer in enumerate(self.layers):
            last = i + 1 == len(self.layers)
            new = None if last else layer(content, content, seen, content_mask, padding)
            x = layer(x, content, seen, query_mask, padding)
            content = content if new is None else new
        return source.head(source.norm(x)).transpose(0, 1)


@dataclass
class Stages:
    """What the stages gave, for a batch."""

    visual: Tensor
    cross: Tensor
    visual_refined: list[Tensor]
    cross_refined: list[Tensor]

    @property
    def final(self) -> Tensor:
        """The result: (B, steps, C + 1)."""
        return self.cross_refined[-1] if self.cross_refined else self.cross


class Stepwise(nn.Module):
    """A CLIP4STR that decodes step by step. It shares what weights it can with `model`. `seconds` adds up by stage."""

    def __init__(self, model: Clip4Str) -> None:
        super().__init__()
        self.model = model
        self.image_blocks = nn.Sequential(*(StepBlock(block, causal=False) for block in model.image_tower.blocks))
        self.text_blocks = nn.Sequential(*(StepBlock(block, causal=True) for block in model.text_tower.blocks))
        self.visual_decoder = StepDecoder(model.visual_decoder)
        self.cross_decoder = StepDecoder(model.cross_decoder)
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Adds what happens inside to the stage's seconds."""
        start = time.perf_counter()
        yield
        if self.model.visual_decoder.positions.is_cuda:
            torch.cuda.synchronize()
        self.seconds[stage] += time.perf_counter() - start

    def encode(self, images: Tensor) -> Tensor:
        """The memory."""
        tower = self.model.image_tower
        x = tower.stem(images).flatten(2).transpose(1, 2)
        x = torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], dim=1)
        x = tower.norm_pre(x + tower.positional_embedding)
        x = self.image_blocks(x.transpose(0, 1)).transpose(0, 1)
        return tower.norm_post(x) @ tower.projection

    def text(self, logits: Tensor) -> Tensor:
        """Text features of what logits spell; every row's, on its own."""
        with self.clock("strings"):
            ids = logits.softmax(-1).argmax(-1).tolist()
            captions = [self.model.tokenizer.decode(row) for row in ids]
            tokens = torch.stack([torch.from_numpy(self.model.caption_tokenizer.encode([c])[0][0]) for c in captions])
            tokens = tokens.to(logits.device)
        with self.clock("text"):
            tower = self.model.text_tower
            x = tower.token_embedding(tokens) + tower.positional_embedding[: tokens.shape[1]]
            x = self.text_blocks(x.transpose(0, 1)).transpose(0, 1)
            return tower.norm_final(x) @ tower.projection

    def greedy(self, decoder: StepDecoder, memory: Tensor, positions: int, steps: int, stop: bool) -> Tensor:
        """Logits of every step up to `steps`; `stop`: until every row has said [E]."""
        ids = self.model.tokenizer
        batch = len(memory)
        tokens = torch.full((batch, positions), ids.pad, device=memory.device)
        tokens[:, 0] = ids.bos
        causal = torch.full((positions, positions), float("-inf"), device=memory.device).triu(1)
        logits = []
        for i in range(steps):
            j = i + 1
            step = decoder(tokens[:, :j], memory, slice(i, j), causal[:j, :j], causal[i:j, :j])
            logits.append(step)
            if j < positions:
                tokens[:, j] = step[:, 0].argmax(-1)
                if stop and (tokens == ids.eos).any(-1).all():
                    break
        return torch.cat(logits, dim=1)

    def cloze(self, decoder: StepDecoder, memory: Tensor, previous: Tensor, positions: int) -> Tensor:
        """All positions again, each told what the others were, up to the first [E]."""
        ids = self.model.tokenizer
        tokens = torch.cat([torch.full_like(previous[:, :1, 0], ids.bos).long(), previous[:, :-1].argmax(-1)], dim=1)
        causal = torch.full((positions, positions), float("-inf"), device=memory.device).triu(1)
        seen = causal.masked_fill(torch.ones_like(causal, dtype=torch.bool).triu(2), 0)
        length = tokens.shape[1]
        ended = (tokens == ids.eos).cumsum(-1) > 0
        padding = torch.zeros(tokens.shape, device=memory.device).masked_fill(ended, float("-inf"))
        return decoder(tokens, memory, slice(0, positions), causal[:length, :length], seen[:, :length], padding=padding)

    @torch.inference_mode()
    def forward(
        self, images: Tensor, refine_iters: int = 1, max_length: int | None = None, steps: int | None = None
    ) -> Stages:
        """All stages.

        `max_length` is what the released code validates with: so many characters and no early stop. `steps`: of the
        cross-modal branch, if not as many as the visual branch took.
        """
        positions = (self.model.cfg.max_length if max_length is None else max_length) + 1
        stop = max_length is None
        with self.clock("image"):
            memory = self.encode(images)
        with self.clock("visual"):
            visual = self.greedy(self.visual_decoder, memory, positions, positions, stop)
        both = torch.cat([memory, self.text(visual)], dim=1)
        with self.clock("cross"):
            cross = self.greedy(self.cross_decoder, both, positions, steps or visual.shape[1], stop=False)
        stages = Stages(visual, cross, [], [])
        for _ in range(refine_iters):
            with self.clock("visual"):
                visual = self.cloze(self.visual_decoder, memory, visual, positions)
            both = torch.cat([memory, self.text(visual)], dim=1)
            with self.clock("cross"):
                cross = self.cloze(self.cross_decoder, both, cross, positions)
            stages.visual_refined.append(visual)
            stages.cross_refined.append(cross)
        return stages
