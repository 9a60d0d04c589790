"""CLIP-Adapter (arXiv 2110.04544) on the projected tokens of a frozen image tower, as CLIP4STR compares it."""

from torch import Tensor, nn

from wordsight.models.clip.image import ImageTower, Tower
from wordsight.models.clipter.model import Conditioning

SHARE = 0.2  # lambda of CLIP4STR's comparison


class ClipAdapter(nn.Module):
    """`SHARE * ReLU(up(ReLU(down(x)))) + (1 - SHARE) * x`, half as wide inside, no biases: (..., D) to (..., D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(
            nn.Linear(width, width // 2, bias=False), nn.ReLU(), nn.Linear(width // 2, width, bias=False), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """The adapted tokens."""
        return SHARE * self.bottleneck(x) + (1 - SHARE) * x


class AdaptedTower(Tower):
    """An image tower with an adapter behind its projection, in the tower's place.

    A frozen tower is run without gradient by PyTorch itself: none of its weights nor its input asks for one.
    """

    def __init__(self, tower: ImageTower, adapter: nn.Module) -> None:
        super().__init__(tower.cfg)
        self.tower = tower
        self.adapter = adapter

    def tokens(self, images: Tensor, inside: tuple[int, Conditioning] | None = None) -> Tensor:
        """The tower's own tokens (B, L, width)."""
        return self.tower.tokens(images, inside)

    def project(self, tokens: Tensor) -> Tensor:
        """Projected and adapted (B, L, D)."""
        return self.adapter(self.tower.project(tokens))
