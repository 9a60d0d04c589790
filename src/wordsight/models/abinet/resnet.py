"""The residual network that ABINet looks with, as published.

Its batch norm is a trap here: training batches hold words of similar length, so statistics of the batch tell a model
that length, which it misses when it reads. Shuffle lengths, or take the compact model: a `ConvStem` has none.
"""

from torch import nn

from wordsight.models.layers.convolutions import ConvNorm, residuals


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
