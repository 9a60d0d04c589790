"""Pooling of scene tokens: averages over squares of the encoder's grid, or [CLS] alone."""

import torch
import torch.nn.functional as F
from torch import Tensor


def pool(
    tokens: Tensor, grid: tuple[int, int], kernel: int | None, keep_cls: bool = True, has_cls: bool = True
) -> Tensor:
    """Average pooling of scene tokens, with kernel and stride k: a larger k is faster and loses spatial detail.

    If k does not divide the grid, the last rows and columns are averages of the tokens that there are.

    Args:
        tokens: (N, L, D), [CLS] first where `has_cls`, then the grid row by row.
        grid: its rows and columns.
        kernel: k; 1 keeps all tokens. None is infinite: [CLS] alone, or the mean of the grid where there is no [CLS]
            (ours: SigLIP and others have none).
        keep_cls: whether [CLS] stays beside the averages.

    Returns:
        (N, M, D); M = ceil(rows / k) * ceil(columns / k), one more with [CLS], or 1.
    """
    cls, patches = tokens[:, : int(has_cls)], tokens[:, int(has_cls) :]
    if kernel is None:
        return cls if has_cls else patches.mean(1, keepdim=True)
    if kernel > 1:
        # Padded with zeros and divided by what was there: engines differ in how they round averages up at the edge
        rows, columns = grid
        margin = (0, -columns % kernel, 0, -rows % kernel)
        plane = F.pad(patches.transpose(1, 2).unflatten(2, grid), margin)  # (N, D, rows, columns)
        there = F.pad(torch.ones(1, 1, rows, columns, dtype=tokens.dtype, device=tokens.device), margin)
        patches = (F.avg_pool2d(plane, kernel) / F.avg_pool2d(there, kernel)).flatten(2).transpose(1, 2)
    return torch.cat([cls, patches], dim=1) if keep_cls else patches
