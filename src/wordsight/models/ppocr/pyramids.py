"""The necks of PP-OCRv6's detectors: four feature maps of different strides become one, at the finest of them.

Like its convolutions (`lcnet`) they have no batch norms left.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LightPyramid(nn.Module):
    """PP-OCRv6 small's: large depthwise kernels see far at little cost.

    Args:
        before: channels of the maps, the finest first; each is half as high and wide as the one before.
        width: channels of what it gives; a quarter of them come from each map.
        kernel: of the depthwise convolutions.
        reduction: by how much squeeze-and-excitation narrows.
    """

    def __init__(self, before: Sequence[int], width: int, kernel: int, reduction: int) -> None:
        super().__init__()
        self.insert_conv = nn.ModuleList(Insert(channels, width, reduction) for channels in before)
        self.input_conv = nn.ModuleList(Smooth(width, kernel, reduction) for _ in before)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, C, H / stride, W / stride) to one (B, width, H / 4, W / 4)."""
        summed = _top_down([insert(each) for insert, each in zip(self.insert_conv, maps, strict=True)])
        return _joined([smooth(each) for smooth, each in zip(self.input_conv, summed, strict=True)])


class Insert(nn.Module):
    """A map in the width of the pyramid, its channels weighted by what all of the picture has in them."""

    def __init__(self, before: int, width: int, reduction: int) -> None:
        super().__init__()
        self.in_conv = nn.Conv2d(before, width, 1)
        self.squeeze_excitation_block = Excitation(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H, W)."""
        x = self.in_conv(x)
        return x + self.squeeze_excitation_block(x)


class Smooth(nn.Module):
    """A quarter of the pyramid's channels, out of a wide neighbourhood."""

    def __init__(self, width: int, kernel: int, reduction: int) -> None:
        super().__init__()
        self.depthwise_convolution = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.pointwise_convolution = nn.Conv2d(width, width // 4, 1)
        self.squeeze_excitation_module = Excitation(width // 4, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to (B, width / 4, H, W)."""
        x = self.pointwise_convolution(self.depthwise_convolution(x))
        return x + self.squeeze_excitation_module(x)


class Excitation(nn.Module):
    """Squeeze and excitation with PaddlePaddle's hard sigmoid, whose slope is a fifth instead of a sixth."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // reduction, 1)
        self.conv2 = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in and out."""
        weights = self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True))))
        return x * (0.2 * weights + 0.5).clamp(0, 1)


class LargePyramid(nn.Module):
    """PP-OCRv6 medium's: full 9x9 convolutions, a way up and a way down, and strips of convolutions along text.

    Args:
        before: channels of the maps, the finest first; each is half as high and wide as the one before.
        width: channels of what it gives; a quarter of them come from each map.
        kernel: of the large convolutions.
        reduction: by how much the strips narrow.
    """

    def __init__(self, before: Sequence[int], width: int, kernel: int, reduction: int) -> None:
        super().__init__()
        part = width // 4

        def large(channels: int) -> nn.Conv2d:
            return nn.Conv2d(channels, part, kernel, padding=kernel // 2)

        self.input_channel_adjustment_convolution = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in before)
        self.input_feature_projection_convolution = nn.ModuleList(large(width) for _ in before)
        self.path_aggregation_head_convolution = nn.ModuleList(nn.Conv2d(part, part, 3, 2, 1) for _ in before[1:])
        self.path_aggregation_lateral_convolution = nn.ModuleList(large(part) for _ in before)
        self.intraclass_blocks = nn.ModuleList(Strips(part, reduction) for _ in before)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, C, H / stride, W / stride) to one (B, width, H / 4, W / 4)."""
        same = [layer(each) for layer, each in zip(self.input_channel_adjustment_convolution, maps, strict=True)]
        paths = zip(self.input_feature_projection_convolution, _top_down(same), strict=True)
        parts = [layer(each) for layer, each in paths]
        for level, down in enumerate(self.path_aggregation_head_convolution, 1):
            parts[level] = parts[level] + down(parts[level - 1])
        layers = zip(self.path_aggregation_lateral_convolution, self.intraclass_blocks, parts, strict=True)
        return _joined([strips(lateral(each)) for lateral, strips, each in layers])


class Strips(nn.Module):
    """Sums of upright, level and square convolutions, ever smaller: text is long in one direction."""

    KERNELS: ClassVar = {"longratio": 7, "midratio": 5, "shortratio": 3}

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.conv_reduce_channel = nn.Conv2d(channels, inner, 1)
        for name, k in self.KERNELS.items():
            upright, level = f"vertical_long_to_small_conv_{name}", f"horizontal_small_to_long_conv_{name}"
            self.add_module(upright, nn.Conv2d(inner, inner, (k, 1), padding=(k // 2, 0)))
            self.add_module(level, nn.Conv2d(inner, inner, (1, k), padding=(0, k // 2)))
            self.add_module(f"symmetric_conv_long_{name}", nn.Conv2d(inner, inner, k, padding=k // 2))
        self.conv_final = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in and out."""
        inner = self.conv_reduce_channel(x)
        layers = dict(self.named_children())
        for name in self.KERNELS:
            kinds = (layers[kind] for kind in layers if kind.endswith(name))
            inner = torch.stack([layer(inner) for layer in kinds]).sum(0)
        return x + F.relu(self.conv_final(inner))


def _top_down(maps: Sequence[Tensor]) -> list[Tensor]:
    """Each map plus what the coarser ones say."""
    out = [maps[-1]]
    for each in reversed(maps[:-1]):
        out.insert(0, each + F.interpolate(out[0], scale_factor=2.0, mode="nearest"))
    return out


def _joined(maps: Sequence[Tensor]) -> Tensor:
    """All maps in the size of the first, the coarsest in the first channels."""
    enlarged = [
        F.interpolate(each, scale_factor=float(2**level), mode="nearest") if level else each
        for level, each in enumerate(maps)
    ]
    return torch.cat(enlarged[::-1], dim=1)
