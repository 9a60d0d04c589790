"""The residual network that TRBA looks with, as published.

Its batch norm is a trap here: training batches hold words of similar length, so statistics of the batch tell a model
that length, which it misses when it reads. Shuffle lengths, or take the compact model: a `ConvStem` has none.
"""

from torch import nn

from wordsight.models.layers.convolutions import ConvNorm, residuals


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
