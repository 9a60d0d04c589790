"""Weights of an image tower for another input size or patch."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.models.config import ImageTowerConfig


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
