"""The residual networks that TRBA and ABINet look with."""

from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "group"]
"""Batch norm is the papers'. Group norm is ours: training batches here hold words of similar length, so statistics of
the batch would tell a model the length (see `ConvStem`), and it would miss that when it reads one word alone."""


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """A normalisation of this many channels, a multiple of 8 or fewer; group norm has groups of 8."""
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(max(1, channels // 8), channels)


class ConvNorm(nn.Sequential):
    """Convolution without bias, normalisation, ReLU unless `linear`; "same" padding for odd kernels."""

    def __init__(
        self,
        channels: int,
        out: int,
        norm: Norm,
        kernel: int = 3,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] | None = None,
        linear: bool = False,
    ) -> None:
        same = (kernel // 2, kernel // 2)
        conv = nn.Conv2d(channels, out, kernel, stride, same if padding is None else padding, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        super().__init__(conv, norm_layer(norm, out), *(() if linear else (nn.ReLU(),)))


class Residual(nn.Module):
    """Two convolutions with a way around them; where the shape changes, that is a 1x1 convolution.

    The second is 3x3 and has the stride. The first is 3x3 in TRBA and 1x1 in ABINet.
    """

    def __init__(self, channels: int, out: int, norm: Norm, first: int = 3, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(channels, out, norm, kernel=first), ConvNorm(out, out, norm, stride=stride, linear=True)
        )
        same = channels == out and stride == (1, 1)
        self.around = nn.Identity() if same else ConvNorm(channels, out, norm, kernel=1, stride=stride, linear=True)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / down, W / across)."""
        out: Tensor = self.activation(self.body(x) + self.around(x))
        return out


def residuals(
    channels: int, out: int, count: int, norm: Norm, first: int = 3, stride: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    """`count` blocks, the first of which changes the shape."""
    shape = Residual(channels, out, norm, first, stride)
    return nn.Sequential(shape, *(Residual(out, out, norm, first) for _ in range(count - 1)))


class ResNet29(nn.Sequential):
    """TRBA's (Baek et al., arXiv 1904.01906, appendix; after Cheng et al., 'FAN'): a line of text to columns.

    (B, 3, 32, W) to (B, width, 1, W / 4 + 1). In the paper 512 wide, (1, 2, 5, 3) blocks in its four stages.
    """

    def __init__(self, width: int, blocks: tuple[int, int, int, int], norm: Norm) -> None:
        narrow, half = width // 4, width // 2
        super().__init__(
            ConvNorm(3, width // 16, norm),
            ConvNorm(width // 16, width // 8, norm),
            nn.MaxPool2d(2),
            residuals(width // 8, narrow, blocks[0], norm),
            ConvNorm(narrow, narrow, norm),
            nn.MaxPool2d(2),
            residuals(narrow, half, blocks[1], norm),
            ConvNorm(half, half, norm),
            nn.MaxPool2d(2, stride=(2, 1), padding=(0, 1)),
            residuals(half, width, blocks[2], norm),
            ConvNorm(width, width, norm),
            residuals(width, width, blocks[3], norm),
            ConvNorm(width, width, norm, kernel=2, stride=(2, 1), padding=(0, 1)),
            ConvNorm(width, width, norm, kernel=2, padding=(0, 0)),
        )


class ResNet45(nn.Sequential):
    """ABINet's (arXiv 2103.06495, section 3.1; after Wang et al., 'DAN'): an image to a grid a quarter of its size.

    (B, 3, H, W) to (B, widths[-1], H / 4, W / 4). In the paper (32, 64, 128, 256, 512) wide and (3, 4, 6, 6, 3) blocks.
    """

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...], norm: Norm) -> None:
        layers: list[nn.Module] = [ConvNorm(3, widths[0], norm)]
        channels = widths[0]
        for number, (out, count) in enumerate(zip(widths, blocks, strict=True)):
            stride = (2, 2) if number in (0, 2) else (1, 1)
            layers.append(residuals(channels, out, count, norm, first=1, stride=stride))
            channels = out
        super().__init__(*layers)
