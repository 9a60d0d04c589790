"""The visio-lingual decoder of PARSeq (arXiv 2207.06966, section 3.1), of a single layer in the papers.

Position queries attend to the context, which is the characters that are visible, and then to the image.
"""

import math

import torch
from torch import Tensor, nn

from wordsight.models.clipter.model import Conditioning
from wordsight.models.config import DecoderConfig
from wordsight.models.layers.transformer import Attention, Mlp, init_packed, init_transformer


class DecoderLayer(nn.Module):
    """A pre-norm layer: position queries attend to the content, then to the memory."""

    def __init__(self, width: int, cfg: DecoderConfig) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(width)
        self.norm_content = nn.LayerNorm(width)
        self.self_attention = Attention(width, cfg.heads, cfg.dropout)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attention = Attention(width, cfg.heads, cfg.dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, cfg.mlp_ratio, dropout=cfg.dropout)
        self.dropout = nn.Dropout(cfg.dropout)

    def forward(self, x: Tensor, content: Tensor, kv: Tensor, mask: Tensor, memory_mask: Tensor | None) -> Tensor:
        """Queries `x` (B, Q, D) over `content` (B, T, D) and the memory's `kv` (B, 2, L, D). Returns (B, Q, D)."""
        content_kv = self.self_attention.project_kv(self.norm_content(content))
        x = x + self.dropout(self.self_attention(self.norm_query(x), content_kv, mask))
        x = x + self.dropout(self.cross_attention(self.norm1(x), kv, memory_mask))
        return x + self.dropout(self.mlp(self.norm2(x)))


class Decoder(nn.Module):
    """Decodes a memory (B, L, D) into logits over [E] and the characters.

    Position query i predicts the i-th character of the word (from 0); content token 0 is [B], content token i + 1 is
    that character. The mask decides which content a query sees: it is all the difference between permutations in
    training, autoregressive decoding, decoding in one pass, and refinement.
    """

    def __init__(self, cfg: DecoderConfig, width: int, vocab_size: int, num_classes: int, max_length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.scale = math.sqrt(width)
        self.positions = nn.Parameter(torch.empty(max_length + 1, width))  # one query per character and one for [E]
        self.layers = nn.ModuleList(DecoderLayer(width, cfg) for _ in range(cfg.depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)
        self.dropout = nn.Dropout(cfg.dropout)
        self.apply(init_transformer)
        if cfg.packed_init:
            self.apply(init_packed)
        nn.init.trunc_normal_(self.positions, std=0.02)

    def memory_kv(self, memory: Tensor) -> Tensor:
        """Every layer's keys and values of a memory (B, L, D), projected once. Returns (B, depth, 2, L, D)."""
        kv = [layer.cross_attention.project_kv(memory) for layer in self.layers]  # type: ignore[union-attr,operator]
        return torch.stack(kv, dim=1)

    def forward(
        self,
        tokens: Tensor,
        kv: Tensor,
        mask: Tensor,
        memory_mask: Tensor | None = None,
        condition: Conditioning | None = None,
        content_mask: Tensor | None = None,
    ) -> Tensor:
        """Logits of all queries at once.

        Args:
            tokens: (B, T) ids: [B], then the characters known so far.
            kv: (B, depth, 2, L, D) from `memory_kv`.
            mask: additive, broadcasting to (B, Q, T): which content each query sees. Q may be a multiple of T: the T
                position queries are then repeated, once per permutation.
            memory_mask: additive (B, L), hides memory tokens (padding of captions).
            condition: what the output (B, Q, D) goes through before the head: CLIPTER's late insertion point.
            content_mask: additive, broadcasting to (B, T, T): which content each content token sees. Decoders of more
                than one layer need it.

        Returns:
            (B, Q, C + 1).

        Raises:
            ValueError: `content_mask` is needed and missing.
        """
        batch, length = tokens.shape
        content = self.embedding(tokens) * self.scale
        content = self.dropout(torch.cat([content[:, :1], content[:, 1:] + self.positions[: length - 1]], dim=1))
        repeats = mask.shape[-2] // length
        x = self.dropout(self.positions[:length].repeat(repeats, 1).expand(batch, -1, -1))
        mask = mask.unsqueeze(-3)  # (B, 1, Q, T): the same for every head
        memory_mask = None if memory_mask is None else memory_mask[:, None, None]
        for i, layer in enumerate(self.layers):
            x = layer(x, content, kv[:, i], mask, memory_mask)
            if i + 1 < len(self.layers):
                if content_mask is None:
                    raise ValueError("a decoder of more than one layer needs a content mask")
                content = layer(content, content, kv[:, i], content_mask.unsqueeze(-3), memory_mask)
        x = self.norm(x)
        return self.head(x if condition is None else condition(x))

    def causal(self, mask: Tensor) -> Tensor | None:
        """The content mask of reading, beside a query mask (B, T, T); None where there is one layer."""
        return None if len(self.layers) == 1 else torch.full_like(mask, float("-inf")).triu(1)
