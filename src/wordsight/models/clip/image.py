"""The image tower: a vision transformer that hands on all of its tokens (CLIP4STR, section 3.2)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.clipter.model import Conditioning
from wordsight.models.config import ImageTowerConfig
from wordsight.models.layers.convolutions import BACKBONE_CHANNELS, Backbone, ConvStem
from wordsight.models.layers.transformer import Block, run_blocks


def _stem(cfg: ImageTowerConfig) -> nn.Module:
    if cfg.backbone:
        return Backbone()
    return ConvStem(cfg.stem) if cfg.stem else nn.Conv2d(3, cfg.width, cfg.patch, stride=cfg.patch, bias=False)


class Tower(nn.Module):
    """Images (B, 3, H, W) to tokens (B, L, D): a plain image tower, or one with an adapter or a ladder.

    `checkpointing` computes the blocks again in the backward pass instead of keeping what they made: less memory.
    """

    checkpointing = False

    def __init__(self, cfg: ImageTowerConfig) -> None:
        super().__init__()
        self.cfg = cfg

    def forward(self, images: Tensor, inside: tuple[int, Conditioning] | None = None) -> Tensor:
        """All tokens through the final norm and the projection.

        Args:
            images: (B, 3, H, W).
            inside: a block, and what its output (B, L, width) goes through before the next one: CLIPTER inside a tower.
        """
        return self.project(self.tokens(images, inside))

    def tokens(self, images: Tensor, inside: tuple[int, Conditioning] | None = None) -> Tensor:
        """`forward` without the projection: (B, L, width)."""
        raise NotImplementedError

    def project(self, tokens: Tensor) -> Tensor:
        """Tokens (B, L, width) in the space (B, L, D) that is shared with the text tower."""
        raise NotImplementedError


class ImageTower(Tower):
    """A plain tower. L counts the class token where there is one, D is `output_dim`; None: there is no projection."""

    def __init__(self, cfg: ImageTowerConfig, output_dim: int | None) -> None:
        super().__init__(cfg)
        channels = BACKBONE_CHANNELS if cfg.backbone else cfg.stem[-1][0] if cfg.stem else cfg.width
        if channels != cfg.width:
            raise ValueError(f"the stem ends with {channels} channels, the tower is {cfg.width} wide")
        self.stem = _stem(cfg)
        self.class_embedding = nn.Parameter(torch.randn(cfg.width) * cfg.width**-0.5) if cfg.class_token else None
        self.positional_embedding = nn.Parameter(torch.randn(cfg.tokens, cfg.width) * cfg.width**-0.5)
        self.norm_pre = nn.LayerNorm(cfg.width, cfg.norm_eps) if cfg.norm_pre else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(cfg.width, cfg.heads, cfg.activation, cfg.norm_eps) for _ in range(cfg.layers)
        )
        self.norm_post = nn.LayerNorm(cfg.width, cfg.norm_eps)
        projection = None if output_dim is None else nn.Parameter(torch.randn(cfg.width, output_dim) * cfg.width**-0.5)
        self.projection = projection

    def project(self, tokens: Tensor) -> Tensor:
        """See `Tower`."""
        return tokens if self.projection is None else tokens @ self.projection

    def tokens(self, images: Tensor, inside: tuple[int, Conditioning] | None = None) -> Tensor:
        """See `Tower`."""
        x = self.stem(images).flatten(2).transpose(1, 2)  # (B, L, width)
        if self.class_embedding is not None:
            x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], dim=1)
        x = self.norm_pre(x + self.positional_embedding)
        blocks = list(self.blocks)
        if inside is not None:
            block, condition = inside
            x = condition(run_blocks(blocks[: block + 1], x, self.checkpointing))
            blocks = blocks[block + 1 :]
        return self.norm_post(run_blocks(blocks, x, self.checkpointing))

    def resized(self, cfg: ImageTowerConfig) -> "ImageTower":
        """A tower with these weights for a configuration that has another input size or patch, or itself."""
        if cfg == self.cfg:
            return self
        tower = ImageTower(cfg, None if self.projection is None else self.projection.shape[1])
        tower.load_state_dict(resize_image_tower(self.state_dict(), self.cfg, cfg))
        return tower


def resize_image_tower(state: Mapping[str, Tensor], old: ImageTowerConfig, new: ImageTowerConfig) -> dict[str, Tensor]:
    """An `ImageTower`'s state for a tower that differs in input size, patch, or both. Without stem of convolutions.

    Positions are interpolated over the grid, that of the class token stays. A kernel for patches of another size is
    the one that answers a resized patch as the old one answers the patch itself, as nearly as can be (FlexiViT, arXiv
    2212.08013, section 3.4).
    """
    state = dict(state)
    if old.grid != new.grid:
        state["positional_embedding"] = resize_positions(state["positional_embedding"], old.grid, new.grid)
    if old.patch != new.patch:
        state["stem.weight"] = _resize_kernel(state["stem.weight"], new.patch)
    return state


def resize_positions(positions: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Positional embeddings (rows * columns, D), maybe with a class token's before them, for another grid."""
    extra = len(positions) - old[0] * old[1]
    grid = positions[extra:].T.unflatten(1, old)[None].float()  # (1, D, rows, columns)
    grid = F.interpolate(grid, new, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([positions[:extra], grid[0].flatten(1).T.to(positions.dtype)])


def _resize_kernel(kernel: Tensor, patch: tuple[int, int]) -> Tensor:
    """(D, 3, h, w) to (D, 3, *patch)."""
    high, wide = kernel.shape[2:]
    basis = torch.eye(high * wide, device=kernel.device).unflatten(1, (1, high, wide))
    resized = F.interpolate(basis, patch, mode="bilinear", antialias=True).flatten(1)  # (h * w, new h * new w)
    flat = kernel.float().flatten(2) @ torch.linalg.pinv(resized).T
    return flat.unflatten(2, patch).to(kernel.dtype)
