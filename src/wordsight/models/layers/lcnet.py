"""PP-LCNetV4, the convolutions that PP-OCRv6's recognizers and detectors share.

Batch norms are folded into the convolutions before them: what is left of each is a bias. So nothing here depends on
the other pictures of a batch, in training either.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.config import Config

Stride: TypeAlias = tuple[int, int]
Block: TypeAlias = tuple[int, int, int, Stride, bool]
"""Kernel size, channels in, channels out, vertical and horizontal stride, whether it squeezes and excites."""


def stage(before: int, width: int, stride: Stride, excites: str) -> tuple[Block, ...]:
    """A stage of blocks, the first with `stride` and `before` channels in; `excites` has a 1 for those that excite."""
    return tuple(
        (3, width if i else before, width, (1, 1) if i else stride, mark == "1") for i, mark in enumerate(excites)
    )


@dataclass(frozen=True)
class LcNetConfig(Config):
    """Sizes of a PP-LCNetV4; those given are of PP-OCRv6 small's recognizer.

    Attributes:
        stem: channels of the picture, in the stem, and of what it gives.
        stages: the blocks of every stage.
        reduction: by how much squeeze-and-excitation narrows.
        approximate: how GELU is computed, see `torch.nn.functional.gelu`. "tanh" is less than 0.001 away from "none",
            what PP-OCRv6 was trained with, and saves a twentieth of the time of all convolutions in ONNX Runtime.
    """

    stem: tuple[int, int, int] = (3, 48, 96)
    stages: tuple[tuple[Block, ...], ...] = (
        stage(96, 96, (1, 1), "1"),
        stage(96, 96, (1, 1), "00"),
        stage(96, 192, (2, 1), "0101010"),
        stage(192, 384, (2, 1), "010"),
    )
    reduction: int = 4
    approximate: Literal["none", "tanh"] = "none"

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        return tuple(blocks[-1][2] for blocks in self.stages)

    @property
    def stride(self) -> Stride:
        """Pixels, down and across, for each position of the last stage."""
        down = across = 4
        for blocks in self.stages:
            for _, _, _, (rows, columns), _ in blocks:
                down, across = down * rows, across * columns
        return down, across


class LcNet(nn.Module):
    """The convolutions: pictures (B, 3, H, W), RGB from -1 to 1, to the feature maps of every stage.

    The last one of PP-OCRv6 small's recognizer is (B, 384, H / 16, W / 4).
    """

    def __init__(self, cfg: LcNetConfig) -> None:
        super().__init__()
        self.stem = Stem(cfg.stem)
        self.stages = nn.ModuleList(
            nn.Sequential(*(DepthwiseBlock(block, cfg) for block in blocks)) for blocks in cfg.stages
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """See the class."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class Stem(nn.Module):
    """A quarter of the height and width, by two ways that are joined: 2x2 convolutions and a maximum."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        colours, middle, out = channels
        self.stem1 = nn.Conv2d(colours, middle, 3, 2, 1)
        self.stem2a = nn.Conv2d(middle, middle // 2, 2)
        self.stem2b = nn.Conv2d(middle // 2, middle, 2)
        self.stem3 = nn.Conv2d(2 * middle, middle, 3, 2, 1)
        self.stem4 = nn.Conv2d(middle, out, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, H / 4, W / 4)."""
        first = F.pad(F.relu(self.stem1(images)), (0, 1, 0, 1))
        second = F.relu(self.stem2b(F.pad(F.relu(self.stem2a(first)), (0, 1, 0, 1))))
        joined = torch.cat([F.max_pool2d(first, 2, 1), second], dim=1)
        return F.relu(self.stem4(F.relu(self.stem3(joined))))


class DepthwiseBlock(nn.Module):
    """A depthwise convolution, squeeze-and-excitation, and two 1x1 convolutions twice as wide between them."""

    def __init__(self, block: Block, cfg: LcNetConfig) -> None:
        super().__init__()
        kernel, before, after, stride, excites = block
        self.approximate = cfg.approximate
        self.residual = before == after and stride == (1, 1)
        self.token_conv = nn.Conv2d(before, before, kernel, stride, kernel // 2, groups=before)
        self.token_squeeze_excitation = SqueezeExcitation(before, cfg.reduction) if excites else nn.Identity()
        self.channel_conv1 = nn.Conv2d(before, 2 * before, 1)
        self.channel_conv2 = nn.Conv2d(2 * before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        x = self.token_squeeze_excitation(self.token_conv(x))
        out: Tensor = self.channel_conv2(F.gelu(self.channel_conv1(x), approximate=self.approximate))
        return x + out if self.residual else out


class SqueezeExcitation(nn.Module):
    """Channels weighted by what all of the picture has in them (arXiv 1709.01507)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in and out."""
        weights: Tensor = self.convolutions(x.mean((2, 3), keepdim=True))
        return x * weights
