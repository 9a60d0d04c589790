"""The text tower: CLIP's causal transformer, handing on all of its tokens, normed and projected."""

import torch
from torch import Tensor, nn

from wordsight.models.config import TextTowerConfig
from wordsight.models.layers.transformer import Block, run_blocks


class TextTower(nn.Module):
    """Token ids (B, S) to features (B, S, output_dim). Causal: a token never sees the padding that follows it.

    `checkpointing` computes the blocks again in the backward pass instead of keeping what they made: less memory.
    """

    checkpointing = False

    def __init__(self, cfg: TextTowerConfig, output_dim: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.token_embedding = nn.Embedding(cfg.vocab_size, cfg.width)
        if not cfg.embedding_only:
            self.positional_embedding = nn.Parameter(torch.randn(cfg.context, cfg.width) * 0.01)
            self.blocks = nn.ModuleList(Block(cfg.width, cfg.heads, cfg.activation) for _ in range(cfg.layers))
            self.norm_final = nn.LayerNorm(cfg.width)
            self.projection = nn.Parameter(torch.randn(cfg.width, output_dim) * cfg.width**-0.5)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of every position; S may be anything up to the context."""
        x = self.token_embedding(tokens)
        if self.cfg.embedding_only:
            return x
        x = run_blocks(self.blocks, x + self.positional_embedding[: tokens.shape[1]], self.checkpointing, causal=True)
        return self.norm_final(x) @ self.projection


def end_of_text(features: Tensor, tokens: Tensor) -> Tensor:
    """The feature (N, D) of each text's end among those (N, S, D) of all tokens: of the largest token, as in CLIP."""
    end = tokens.argmax(1)[:, None, None].expand(-1, 1, features.shape[2])
    return features.gather(1, end)[:, 0]
