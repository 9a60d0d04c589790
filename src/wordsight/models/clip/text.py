"""The text tower: CLIP's causal transformer, handing on all of its tokens, normed and projected."""

import torch
from torch import Tensor, nn

from wordsight.models.config import TextTowerConfig
from wordsight.models.layers import Block


class TextTower(nn.Module):
    """Token ids (B, S) to features (B, S, output_dim). Causal: a token never sees the padding that follows it."""

    def __init__(self, cfg: TextTowerConfig, output_dim: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.token_embedding = nn.Embedding(cfg.vocab_size, cfg.width)
        self.positional_embedding = nn.Parameter(torch.randn(cfg.context, cfg.width) * 0.01)
        self.blocks = nn.ModuleList(Block(cfg.width, cfg.heads, cfg.activation, cfg.dropout) for _ in range(cfg.layers))
        self.norm_final = nn.LayerNorm(cfg.width)
        self.projection = nn.Parameter(torch.randn(cfg.width, output_dim) * cfg.width**-0.5)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of every position; S may be anything up to the context."""
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, causal=True)
        return self.norm_final(x) @ self.projection
