"""The neck of PP-OCRv6's recognizers: what the convolutions see becomes one row of frames that know of each other.

Two transformer blocks after SVTR (arXiv 2205.00159), beside a shortcut.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class NeckConfig:
    """Sizes of the neck; those given are of PP-OCRv6 small.

    Attributes:
        width: of a frame.
        depth: transformer blocks.
        heads: of their attention.
        mlp_ratio: width of their MLPs, in widths of a frame.
        kernel: of the depthwise convolution, in frames.
        norm_eps: what layer norms add to the variance.
    """

    width: int = 120
    depth: int = 2
    heads: int = 8
    mlp_ratio: float = 2.0
    kernel: int = 7
    norm_eps: float = 1e-5


class SvtrNeck(nn.Module):
    """Columns (B, T, C) to frames (B, T, D) that know of each other."""

    def __init__(self, cfg: NeckConfig, channels: int) -> None:
        super().__init__()
        width = cfg.width
        self.skip = nn.Linear(channels, width)
        self.reduce = nn.Linear(channels, width)
        self.local = nn.Conv1d(width, width, cfg.kernel, padding=cfg.kernel // 2, groups=width)
        self.svtr_block = nn.ModuleList(SvtrBlock(cfg) for _ in range(cfg.depth))
        self.norm = nn.LayerNorm(width, cfg.norm_eps)

    def forward(self, columns: Tensor) -> Tensor:
        """See the class."""
        skip = F.silu(self.skip(columns))
        x = F.silu(self.reduce(columns))
        x = x + F.silu(self.local(x.transpose(1, 2))).transpose(1, 2)
        for block in self.svtr_block:
            x = block(x)
        return self.norm(x) + skip


class SvtrBlock(nn.Module):
    """Attention among all frames, then an MLP, each after a layer norm."""

    def __init__(self, cfg: NeckConfig) -> None:
        super().__init__()
        hidden = int(cfg.width * cfg.mlp_ratio)
        self.heads = cfg.heads
        self.layer_norm1 = nn.LayerNorm(cfg.width, cfg.norm_eps)
        self.qkv = nn.Linear(cfg.width, 3 * cfg.width)
        self.projection = nn.Linear(cfg.width, cfg.width)
        self.layer_norm2 = nn.LayerNorm(cfg.width, cfg.norm_eps)
        self.mlp = nn.Sequential(nn.Linear(cfg.width, hidden), nn.SiLU(), nn.Linear(hidden, cfg.width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) in and out."""
        batch, frames, width = x.shape
        qkv = self.qkv(self.layer_norm1(x)).view(batch, frames, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, frames, width)
        x = x + self.projection(mixed)
        return x + self.mlp(self.layer_norm2(x))
