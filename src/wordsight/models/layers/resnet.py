"""The residual networks that ABINet and TRBA begin with, as published.

Their batch norm is a trap here: training batches hold words of similar length, so statistics of the batch tell a model
that length, which it misses when it reads. Shuffle lengths, or take a compact model: a `ConvStem` has none.
"""

from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, ReLU unless `linear`; "same" padding for odd kernels."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] | None = None,
        linear: bool = False,
    ) -> None:
        same = (kernel // 2, kernel // 2)
        conv = nn.Conv2d(channels, out, kernel, stride, same if padding is None else padding, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        super().__init__(conv, nn.BatchNorm2d(out), *(() if linear else (nn.ReLU(),)))


class Residual(nn.Module):
    """Two convolutions with a way around them; where the shape changes, that is a 1x1 convolution.

    The second is 3x3 and has the stride. The first is 3x3 in TRBA and 1x1 in ABINet.
    """

    def __init__(self, channels: int, out: int, first: int = 3, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(channels, out, kernel=first), ConvNorm(out, out, stride=stride, linear=True))
        same = channels == out and stride == (1, 1)
        self.around = nn.Identity() if same else ConvNorm(channels, out, kernel=1, stride=stride, linear=True)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / down, W / across)."""
        return self.activation(self.body(x) + self.around(x))


def residuals(channels: int, out: int, count: int, first: int = 3, stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """`count` blocks, the first of which changes the shape."""
    shape = Residual(channels, out, first, stride)
    return nn.Sequential(shape, *(Residual(out, out, first) for _ in range(count - 1)))


class ResNet45(nn.Sequential):
    """ABINet's (arXiv 2103.06495, section 3.1; after Wang et al., 'DAN'): an image to a grid a quarter of its size.

    (B, 3, H, W) to (B, widths[-1], H / 4, W / 4). In the paper (32, 64, 128, 256, 512) wide and (3, 4, 6, 6, 3) blocks.
    """

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        layers: list[nn.Module] = [ConvNorm(3, widths[0])]
        channels = widths[0]
        for number, (out, count) in enumerate(zip(widths, blocks, strict=True)):
            stride = (2, 2) if number in (0, 2) else (1, 1)
            layers.append(residuals(channels, out, count, first=1, stride=stride))
            channels = out
        super().__init__(*layers)


class ResNet29(nn.Sequential):
    """TRBA's (Baek et al., arXiv 1904.01906, appendix; after Cheng et al., 'FAN'): a line of text to columns.

    (B, 3, 32, W) to (B, width, 1, W / 4 + 1). In the paper 512 wide, (1, 2, 5, 3) blocks in its four stages.
    """

    def __init__(self, width: int, blocks: tuple[int, int, int, int]) -> None:
        narrow, half = width // 4, width // 2
        super().__init__(
            ConvNorm(3, width // 16),
            ConvNorm(width // 16, width // 8),
            nn.MaxPool2d(2),
            residuals(width // 8, narrow, blocks[0]),
            ConvNorm(narrow, narrow),
            nn.MaxPool2d(2),
            residuals(narrow, half, blocks[1]),
            ConvNorm(half, half),
            nn.MaxPool2d(2, stride=(2, 1), padding=(0, 1)),
            residuals(half, width, blocks[2]),
            ConvNorm(width, width),
            residuals(width, width, blocks[3]),
            ConvNorm(width, width, kernel=2, stride=(2, 1), padding=(0, 1)),
            ConvNorm(width, width, kernel=2, padding=(0, 0)),
        )
