"""Straightening words by a thin-plate spline: the spatial transformer of RARE (arXiv 1603.03915) and TRBA."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.layers.resnet import ConvNorm


class Rectifier(nn.Module):
    """Finds fiducial points along the upper and the lower edge of the text and pulls them to the edges of the image.

    Args:
        size: rows and columns of the image, before and after.
        points: fiducial points, an even number of at least 6 (20 in the paper).
        widths: channels of the four convolutions that find them ((64, 128, 256, 512) in the paper).

    It starts as the identity: points are found as offsets from the edges, zero at first. (The released TRBA starts from
    two slanting rows of points instead.)
    """

    pixels: Tensor
    spread: Tensor

    def __init__(self, size: tuple[int, int], points: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.size = size
        first, second, third, last = widths
        self.features = nn.Sequential(
            ConvNorm(3, first),
            nn.MaxPool2d(2),
            ConvNorm(first, second),
            nn.MaxPool2d(2),
            ConvNorm(second, third),
            nn.MaxPool2d(2),
            ConvNorm(third, last),
        )
        self.offsets = nn.Sequential(nn.Linear(last, last // 2), nn.ReLU(), nn.Linear(last // 2, 2 * points))
        for parameter in self.offsets[2].parameters():
            nn.init.zeros_(parameter)
        pixels, spread = spline(size, points)
        self.register_buffer("pixels", pixels, persistent=False)  # (H * W, 2)
        self.register_buffer("spread", spread, persistent=False)  # (H * W, points)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), straightened; what lies outside is continued from the edge."""
        offsets = self.offsets(self.features(images).mean((2, 3))).unflatten(1, (-1, 2))  # (B, points, 2)
        grid = self.pixels + self.spread @ offsets  # the spline is linear in its points: no solving here
        grid = grid.unflatten(1, self.size).to(images.dtype)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def spline(size: tuple[int, int], points: int) -> tuple[Tensor, Tensor]:
    """What a thin-plate spline through `points` points of the image's edges comes to, at every pixel.

    Returns:
        Centres of all pixels (H * W, 2) as (x, y) in -1..1, where they are read if no point moves; and (H * W, points),
        how far each pixel follows each point.
    """
    rows, columns = size
    along = torch.linspace(-1, 1, points // 2, dtype=torch.float64)
    edges = torch.cat([torch.stack([along, torch.full_like(along, y)], dim=1) for y in (-1.0, 1.0)])  # (points, 2)
    y, x = ((2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in (rows, columns))
    pixels = torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)], dim=-1).flatten(0, 1)

    def basis(places: Tensor) -> Tensor:
        """(n, points + 3): radial functions r^2 log r of the distances to all points, and the affine part 1, x, y."""
        squares = (places[:, None] - edges).square().sum(-1)
        radial = torch.special.xlogy(squares, squares) / 2  # 0 log 0 is 0
        return torch.cat([radial, torch.ones(len(places), 1, dtype=torch.float64), places], dim=1)

    upper = basis(edges)
    affine = torch.cat([upper[:, points:].T, torch.zeros(3, 3, dtype=torch.float64)], dim=1)
    system = torch.cat([upper, affine])  # (points + 3, points + 3); its last rows keep the radial part from drifting
    spread = torch.linalg.solve(system, basis(pixels), left=False)[:, :points]
    return pixels.float(), spread.float()
