"""The convolutions that images go through first: stems of our own, PP-OCRv6's, and parts of residual networks."""

import torch
from torch import Tensor, nn

from wordsight.models.layers.lcnet import LcNet, LcNetConfig


class ConvStem(nn.Sequential):
    """3x3 convolutions with GELU; where the shape stays the same the input is added back.

    No batch norm: training batches hold words of similar length, so batch statistics would tell the model the length.
    """

    def __init__(self, layers: tuple[tuple[int, int, int], ...]) -> None:
        channels = 3
        stages: list[nn.Module] = []
        for out, down, across in layers:
            stages.append(ConvStage(channels, out, (down, across)))
            channels = out
        super().__init__(*stages)


class ConvStage(nn.Module):
    """One convolution of the stem: (B, C, H, W) to (B, C', H / down, W / across)."""

    def __init__(self, channels: int, out: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride, padding=1)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.activation = nn.GELU()
        self.residual = channels == out and stride == (1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, activate; add the input where shapes allow."""
        out: Tensor = self.activation(self.conv(x))
        return x + out if self.residual else out


BACKBONE_CHANNELS = 384


class Backbone(nn.Module):
    """PP-OCRv6 small's convolutions: images (B, 3, H, W), RGB from -1 to 1, to (B, 384, H / 16, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = LcNet(LcNetConfig()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.net(images.contiguous(memory_format=torch.channels_last))[-1]
        return out


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
        out: Tensor = self.activation(self.body(x) + self.around(x))
        return out


def residuals(channels: int, out: int, count: int, first: int = 3, stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """`count` blocks, the first of which changes the shape."""
    shape = Residual(channels, out, first, stride)
    return nn.Sequential(shape, *(Residual(out, out, first) for _ in range(count - 1)))
