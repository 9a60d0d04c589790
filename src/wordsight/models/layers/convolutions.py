"""The convolutions that images go through first: stems of our own, and PP-OCRv6's."""

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
        return self.net(images.contiguous(memory_format=torch.channels_last))[-1]
