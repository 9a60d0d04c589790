"""TRBA (Baek et al., arXiv 1904.01906), of four stages.

image -> thin-plate spline -> rectified image           (transformation)
rectified image -> ResNet -> columns                    (feature extraction)
columns -> two bidirectional LSTMs -> context           (sequence modelling)
context, characters so far -> attention cell -> logits  (prediction)
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.decoding.autoregressive import AUTOREGRESSIVE
from wordsight.errors import ConfigError
from wordsight.models.clipter import SceneContext
from wordsight.models.config import COMPACT_TOWER, ImageTowerConfig
from wordsight.models.layers.convolutions import ConvStem
from wordsight.models.layers.resnet import ConvNorm, ResNet29
from wordsight.models.recognizer import CropConfig, GraphModule, Recognizer
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class TrbaConfig(CropConfig):
    """Sizes of a TRBA. The defaults are the paper's.

    Attributes:
        points: fiducial points of the rectification; 0 leaves it out.
        locator: channels of the convolutions that find them.
        width: channels of the residual network.
        blocks: in its four stages.
        stem: empty for the residual network. Otherwise the convolutions of a `ConvStem` in its place.
        hidden: width of the recurrent layers, of each direction.

    Raises:
        ConfigError: the stem leaves more than one row.
    """

    points: int = 20
    locator: tuple[int, int, int, int] = (64, 128, 256, 512)
    width: int = 512
    blocks: tuple[int, int, int, int] = (1, 2, 5, 3)
    stem: tuple[tuple[int, int, int], ...] = ()
    hidden: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        rows, _ = ImageTowerConfig(self.height, self.width_px, stem=self.stem).grid if self.stem else (1, 0)
        if rows != 1:
            raise ConfigError(f"the stem makes {rows} rows of {self.height} pixels: it must make one")

    @property
    def channels(self) -> int:
        """Width of a column."""
        return self.stem[-1][0] if self.stem else self.width


class Rectifier(nn.Module):
    """Finds fiducial points along the upper and the lower edge of the text and pulls them to the edges of the image.

    By a thin-plate spline, as RARE's spatial transformer (arXiv 1603.03915).

    Args:
        size: rows and columns of the image, before and after.
        points: fiducial points, an even number of at least 6 (20 in the paper).
        widths: channels of the four convolutions that find them ((64, 128, 256, 512) in the paper).

    It starts as the identity: points are found as offsets from the edges, zero at first. (The released TRBA starts from
    two slanting rows of points instead.)
    """

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
        self.pixels = nn.Buffer(pixels, persistent=False)  # (H * W, 2)
        self.spread = nn.Buffer(spread, persistent=False)  # (H * W, points)

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
    # Not `torch.linspace`, which makes numbers on the meta device, too, once transformers has loaded a model
    along = 2 * torch.arange(points // 2, dtype=torch.float64) / (points // 2 - 1) - 1
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


def he_normal(module: nn.Module) -> None:
    """He's initialisation of all matrices, zero biases (as released).

    PyTorch's own for LSTMs lets little through: behind two of them columns would differ by 0.007, not by 0.2 (standard
    deviation at the start, `trba-compact`).
    """
    for parameter in module.parameters():
        if parameter.ndim >= 2:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.zeros_(parameter)


class Sequence(nn.Module):
    """Sequence modelling: a bidirectional LSTM and a projection, (B, L, D) to (B, L, hidden)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.project = nn.Linear(2 * hidden, hidden)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Columns in the context of their neighbours."""
        return self.project(self.lstm(x)[0])


class AttentionCell(nn.Module):
    """Prediction of one character: attention by the state, then an LSTM cell over the glimpse and the last character.

    The published cell takes that character as a one-hot vector beside the glimpse; an embedding is the same.
    """

    def __init__(self, width: int, vocab_size: int, num_classes: int) -> None:
        super().__init__()
        self.keys = nn.Linear(width, width, bias=False)
        self.query = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.glimpse = nn.Linear(width, 4 * width, bias=False)
        self.recurrent = nn.Linear(width, 4 * width)
        self.embedding = nn.Embedding(vocab_size, 4 * width)
        self.head = nn.Linear(width, num_classes)
        he_normal(self)
        nn.init.normal_(self.embedding.weight, std=(2 / width) ** 0.5)

    def memory(self, features: Tensor) -> Tensor:
        """Features (B, L, D) and their keys, projected once for all characters: (B, 2, L, D)."""
        return torch.stack([features, self.keys(features)], dim=1)

    def forward(self, tokens: Tensor, state: Tensor, memory: Tensor) -> Tensor:
        """Last characters (B,), state (B, 2, D), which is hidden and cell, and `memory`. Returns the next state."""
        hidden, cell = state.unbind(1)
        features, keys = memory.unbind(1)
        weights = self.score(torch.tanh(keys + self.query(hidden)[:, None])).softmax(1)  # (B, L, 1)
        seen = (weights * features).sum(1)
        gates = self.glimpse(seen) + self.recurrent(hidden) + self.embedding(tokens)
        take, keep, new, show = gates.chunk(4, dim=-1)
        cell = keep.sigmoid() * cell + take.sigmoid() * new.tanh()
        return torch.stack([show.sigmoid() * cell.tanh(), cell], dim=1)


class Trba(Recognizer):
    """The recognizer.

    CLIPTER's early insertion point is the contextual features; the late one is the hidden state of the cell, at every
    character: both the character and the next step depend on the conditioned state.
    """

    architecture = "trba"
    kind = AUTOREGRESSIVE
    config_class = TrbaConfig
    cfg: TrbaConfig

    def __init__(self, cfg: TrbaConfig) -> None:
        super().__init__(cfg)
        self.widths = {"early": cfg.hidden, "late": cfg.hidden}
        size = (cfg.height, cfg.width_px)
        self.image_encoder = nn.Sequential(
            Rectifier(size, cfg.points, cfg.locator) if cfg.points else nn.Identity(),
            ConvStem(cfg.stem) if cfg.stem else ResNet29(cfg.width, cfg.blocks),
        )
        self.sequence = nn.Sequential(Sequence(cfg.channels, cfg.hidden), Sequence(cfg.hidden, cfg.hidden))
        self.cell = AttentionCell(cfg.hidden, self.tokenizer.vocab_size, self.tokenizer.num_classes)

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to contextual features (B, L, hidden); L is W / 4 + 1 in the paper."""
        columns = self.image_encoder(images).squeeze(2).transpose(1, 2)  # (B, L, width)
        return self.fuse("early", self.sequence(columns), context)

    def start(self, images: Tensor, context: SceneContext | None = None) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) to the memory of all steps (B, 2, L, D), and the initial state (B, 2, D)."""
        memory = self.cell.memory(self.encode(images, context))
        return memory, memory.new_zeros(memory.shape[0], 2, self.cfg.hidden)

    def step(
        self, tokens: Tensor, state: Tensor, memory: Tensor, context: SceneContext | None = None
    ) -> tuple[Tensor, Tensor]:
        """Last characters (B,), state and memory to the logits (B, C + 1) of the next ones, and the next state."""
        state = self.cell(tokens, state, memory)
        hidden = self.fuse("late", state[:, :1], context)  # (B, 1, D)
        return self.cell.head(hidden[:, 0]), torch.cat([hidden, state[:, 1:]], dim=1)

    def forward(self, images: Tensor, tokens: Tensor, context: SceneContext | None = None) -> Tensor:
        """Logits (B, T, C + 1) of the character after each of `tokens` (B, T), [B] and the true characters so far.

        Images are (B, 3, H, W). Reading, which has no true characters, is `decoding.autoregressive`.
        """
        memory, state = self.start(images, context)
        logits = []
        for before in tokens.unbind(1):
            step, state = self.step(before, state, memory, context)
            logits.append(step)
        return torch.stack(logits, dim=1)

    def taught(self, images: Tensor, targets: Tensor, context: SceneContext | None) -> Tensor:
        """See `Recognizer`: every character is given the true ones before it."""
        return self.forward(images, targets[:, :-1], context)

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """`image`: an image to memory and initial state. `step`: a character."""
        return {"image": GraphModule(self, self.start, 1, "early"), "step": GraphModule(self, self.step, 3, "late")}


TRBA_PRESETS: dict[str, TrbaConfig] = {
    # As published, but for three colours and 128 columns, as in PARSeq's comparison (there: grey and 100)
    "trba": TrbaConfig(charset=Charset.preset("94")),
    # Without rectification
    "trba-compact": TrbaConfig(
        charset=Charset.preset("94"),
        points=0,
        stem=COMPACT_TOWER.stem,
        hidden=128,
    ),
}
"""Models by name: the paper's, and a compact one of our own."""
