"""Attention, MLP, the pre-norm block that every transformer here uses, and how they start."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Attention(nn.Module):
    """Multi-head attention over separate q, k and v projections.

    Keys and values can be projected once with `project_kv` and used for many queries: that is what makes decoding
    against a fixed memory cheap.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def project_kv(self, source: Tensor) -> Tensor:
        """Keys and values of `source` (B, L, D), stacked. Returns (B, 2, L, D)."""
        return torch.stack([self.k(source), self.v(source)], dim=1)

    def forward(self, query: Tensor, kv: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Attend from `query` (B, Q, D) to `kv` (B, 2, L, D).

        `mask` is additive and broadcasts to (B, heads, Q, L). Returns (B, Q, D).
        """
        dropout = self.dropout if self.training else 0.0
        q, k, v = self._split(self.q(query)), self._split(kv[:, 0]), self._split(kv[:, 1])
        mixed = attend(q, k, v, mask, dropout, causal)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, L, D) -> (B, heads, L, D / heads)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, causal: bool) -> Tensor:
    """Attention of (B, heads, Q, D) to (B, heads, L, D), fused.

    On a CPU in float32 even where the rest is bfloat16: PyTorch's kernel for that takes three times as long there.
    """
    if q.dtype == torch.bfloat16 and q.device.type == "cpu":
        mask = mask.float() if mask is not None and mask.is_floating_point() else mask
        with torch.autocast("cpu", enabled=False):
            return attend(q.float(), k.float(), v.float(), mask, dropout, causal).to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal)


class QuickGELU(nn.Module):
    """The activation of OpenAI's CLIP: x * sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "quickgelu": QuickGELU, "relu": nn.ReLU}


class Mlp(nn.Sequential):
    """Linear, activation, dropout, linear; hidden width `ratio` times the outer one."""

    def __init__(self, width: int, ratio: float = 4.0, activation: str = "gelu", dropout: float = 0.0) -> None:
        hidden = int(width * ratio)
        super().__init__(
            nn.Linear(width, hidden), ACTIVATIONS[activation](), nn.Dropout(dropout), nn.Linear(hidden, width)
        )


class Block(nn.Module):
    """Pre-norm transformer block (CLIP's residual attention block)."""

    def __init__(self, width: int, heads: int, activation: str = "gelu", norm_eps: float = 1e-5) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, norm_eps)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, norm_eps)
        self.mlp = Mlp(width, activation=activation)

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        normed = self.norm1(x)
        x = x + self.attention(normed, self.attention.project_kv(normed), causal=causal)
        return x + self.mlp(self.norm2(x))


def run_blocks(blocks: Iterable[nn.Module], x: Tensor, checkpointing: bool = False, causal: bool = False) -> Tensor:
    """Tokens (B, L, D) through all blocks. `checkpointing` keeps only what enters each for the backward pass."""
    checkpointing = checkpointing and torch.is_grad_enabled()
    for block in blocks:
        x = checkpoint(block, x, causal, use_reentrant=False) if checkpointing else block(x, causal)
    return x


def init_packed(module: nn.Module) -> None:
    """Xavier's uniform numbers for the q, k and v of an `Attention` as if they were one matrix of three times the rows.

    A third narrower than for each alone: at width 512 their standard deviation is 0.031.
    """
    if isinstance(module, Attention):
        width = module.q.in_features
        bound = (6 / (width + 3 * width)) ** 0.5
        for linear in (module.q, module.k, module.v):
            nn.init.uniform_(linear.weight, -bound, bound)


def init_transformer(module: nn.Module) -> None:
    """Truncated normal (std 0.02) for linear and embedding weights, zero biases: PARSeq's initialisation."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def sinusoids(positions: int, width: int) -> Tensor:
    """Fixed embeddings (positions, width) by place (Vaswani et al.): sines and cosines of ever lower frequencies."""
    rates = torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(10000.0)) / width))
    angles = torch.arange(positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
