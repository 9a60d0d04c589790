"""ABINet (Fang et al., arXiv 2103.06495): a vision model, a language model, and iterative correction.

image -> backbone -> position attention -> vision features -> prediction          (section 3.1)
prediction, gradient stopped -> language model -> language features               (section 3.2)
vision and language features -> gated fusion -> prediction -> language model ...  (section 3.3)
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.decoding.iterative import CORRECTIONS, ITERATIVE
from wordsight.models.clipter import SceneContext
from wordsight.models.config import ImageTowerConfig
from wordsight.models.layers.convolutions import ConvStage, ConvStem
from wordsight.models.layers.resnet import ConvNorm, ResNet45
from wordsight.models.layers.transformer import Attention, Mlp, sinusoids
from wordsight.models.losses import Losses, cross_entropy
from wordsight.models.recognizer import CropConfig, GraphModule, Recognizer
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class AbinetConfig(CropConfig):
    """Sizes of an ABINet. The defaults are the paper's.

    Attributes:
        widths: channels of the residual network's stages.
        blocks: in its stages.
        stem: empty for the residual network. Otherwise the convolutions of a `ConvStem` in its place.
        units: transformer units behind it.
        heads: of all attentions but the one by position, which has one.
        funnel: channels inside the position attention.
        language_units: of the language model.
        dropout: in all units.
        language_weight: of the language model's own loss.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    blocks: tuple[int, ...] = (3, 4, 6, 6, 3)
    stem: tuple[tuple[int, int, int], ...] = ()
    units: int = 3
    heads: int = 8
    funnel: int = 64
    language_units: int = 4
    dropout: float = 0.1
    language_weight: float = 1.0

    @property
    def width(self) -> int:
        """Of all features: that of the last convolution."""
        return self.stem[-1][0] if self.stem else self.widths[-1]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the backbone's output for an image."""
        if self.stem:
            return ImageTowerConfig(self.height, self.width_px, stem=self.stem).grid
        return self.height // 4, self.width_px // 4

    @property
    def positions(self) -> int:
        """Of the characters and [E]."""
        return self.max_length + 1


class Unit(nn.Module):
    """Post-norm transformer unit (Vaswani et al., arXiv 1706.03762) that looks at `source`, which may be itself."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.norm1 = nn.LayerNorm(width)
        self.mlp = Mlp(width, activation="relu", dropout=dropout)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Queries (B, Q, D) over `source` (B, L, D), with an additive mask (B, Q, L). Returns (B, Q, D)."""
        mask = None if mask is None else mask[:, None]
        x = self.norm1(x + self.dropout(self.attention(x, self.attention.project_kv(source), mask)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class Backbone(nn.Module):
    """Convolutions and transformer units: images (B, 3, H, W) to (B, rows * columns, D)."""

    def __init__(self, cfg: AbinetConfig) -> None:
        super().__init__()
        self.convolutions = ConvStem(cfg.stem) if cfg.stem else ResNet45(cfg.widths, cfg.blocks)
        # Of the scale of the residual network's output: beside places a stem's would hardly be seen
        self.norm = nn.LayerNorm(cfg.width) if cfg.stem else nn.Identity()
        rows, columns = cfg.grid
        self.places = nn.Buffer(sinusoids(rows * columns, cfg.width), persistent=False)
        self.dropout = nn.Dropout(cfg.dropout)
        self.units = nn.ModuleList(Unit(cfg.width, cfg.heads, cfg.dropout) for _ in range(cfg.units))

    def forward(self, images: Tensor) -> Tensor:
        """Tokens, row by row."""
        x = self.norm(self.convolutions(images).flatten(2).transpose(1, 2))
        x = self.dropout(x + self.places)
        for unit in self.units:
            x = unit(x, x)
        return x


class PositionAttention(nn.Module):
    """Each position of the word looks for its place (section 3.1): keys come of the features through a small U-Net.

    (B, L, D) to (B, P, D). The values are the features themselves.
    """

    def __init__(self, cfg: AbinetConfig) -> None:
        super().__init__()
        self.grid = cfg.grid
        # Around a stem there is no batch norm here either
        conv: type[ConvStage | ConvNorm] = ConvStage if cfg.stem else ConvNorm
        ends, funnel = cfg.width, cfg.funnel
        self.down = nn.ModuleList(
            conv(ends if i == 0 else funnel, funnel, stride=(1, 2) if i == 0 else (2, 2)) for i in range(4)
        )
        self.up = nn.ModuleList(conv(funnel, ends if i == 3 else funnel, stride=(1, 1)) for i in range(4))
        self.places = nn.Buffer(sinusoids(cfg.positions, ends), persistent=False)
        self.query = nn.Linear(ends, ends)

    def keys(self, x: Tensor) -> Tensor:
        """What positions are found by: a grid (B, D, rows, columns) to the same shape."""
        sizes, steps = [], []
        for down in self.down:
            sizes.append(x.shape[2:])
            x = down(x)
            steps.append(x)
        skips = [*steps[-2::-1], None]
        for up, size, skip in zip(self.up, reversed(sizes), skips, strict=True):
            x = up(F.interpolate(x, size, mode="nearest"))
            x = x if skip is None else x + skip
        return x

    def forward(self, features: Tensor) -> Tensor:
        """One feature for each position."""
        keys = self.keys(features.transpose(1, 2).unflatten(2, self.grid)).flatten(2).transpose(1, 2)
        query = self.query(self.places).expand(features.shape[0], -1, -1)
        return F.scaled_dot_product_attention(query[:, None], keys[:, None], features[:, None])[:, 0]


class Language(nn.Module):
    """The bidirectional cloze network: position queries look at the reading, but never at their own character.

    It has no self-attention, so that no unit can hand a position's own character to it by way of another.
    """

    def __init__(self, classes: int, positions: int, width: int, heads: int, units: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(classes, width, bias=False)
        self.places = nn.Buffer(sinusoids(positions, width), persistent=False)
        self.units = nn.ModuleList(Unit(width, heads, dropout) for _ in range(units))
        self.head = nn.Linear(width, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, P, D) of what each position should say, and their logits.

        The reading (B, P, C + 1) is told as probabilities, and its gradient is stopped: vision learns from images alone
        (the paper's "autonomous").
        """
        probabilities = logits.detach().softmax(-1)
        source = self.dropout(self.project(probabilities) + self.places)
        x = self.dropout(self.places).expand(logits.shape[0], -1, -1)
        mask = cloze(probabilities).to(x.dtype)
        for unit in self.units:
            x = unit(x, source, mask)
        return x, self.head(x)


def cloze(probabilities: Tensor) -> Tensor:
    """Additive masks (B, P, P) of a reading (B, P, C + 1): its own character and what comes after [E] are hidden.

    [E] itself is seen, and of an empty reading one position more, so that [E] has something to look at.
    """
    positions = probabilities.shape[1]
    ended = (probabilities.argmax(-1) == 0).cumsum(1)  # (B, P): 0 before the first [E], which is class 0
    length = (ended == 0).sum(1, keepdim=True) + 1  # with [E]
    place = torch.arange(positions, device=probabilities.device)
    hidden = (place >= length.clamp(min=2))[:, None] | (place[:, None] == place)
    return torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, float("-inf"))


class Abinet(Recognizer):
    """The recognizer.

    CLIPTER's early insertion point is the backbone's output; the late one is the fused features, before each corrected
    prediction.
    """

    architecture = "abinet"
    kind = ITERATIVE
    config_class = AbinetConfig
    cfg: AbinetConfig

    def __init__(self, cfg: AbinetConfig) -> None:
        super().__init__(cfg)
        self.widths = {"early": cfg.width, "late": cfg.width}
        classes = self.tokenizer.num_classes
        self.image_encoder = Backbone(cfg)
        self.attention = PositionAttention(cfg)
        self.vision_head = nn.Linear(cfg.width, classes)
        self.language = Language(classes, cfg.positions, cfg.width, cfg.heads, cfg.language_units, cfg.dropout)
        self.gate = nn.Linear(2 * cfg.width, cfg.width)
        self.head = nn.Linear(cfg.width, classes)

    def forward(self, images: Tensor, context: SceneContext | None = None) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Images (B, 3, H, W) to logits (B, P, C + 1) of P = max_length + 1 positions.

        Returns:
            Those of the vision model, and lists of those of the language model and the fusion in every iteration. The
            fusion's last ones are the final prediction.
        """
        logits, features = self.vision(images, context)
        vision, language, fusion = logits, [], []
        for _ in range(CORRECTIONS):
            said, logits = self.correct(logits, features, context)
            language.append(said)
            fusion.append(logits)
        return vision, language, fusion

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to a grid of tokens (B, rows * columns, D)."""
        return self.fuse("early", self.image_encoder(images), context)

    def vision(self, images: Tensor, context: SceneContext | None = None) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) to the vision model's logits (B, P, C + 1) and features (B, P, D)."""
        features: Tensor = self.attention(self.encode(images, context))
        return self.vision_head(features), features

    def correct(self, logits: Tensor, features: Tensor, context: SceneContext | None = None) -> tuple[Tensor, Tensor]:
        """One iteration: the language model's output for a prediction, and the fusion (sections 3.2 and 3.3).

        Args:
            logits: (B, P, C + 1), the prediction so far. No gradient passes back into it.
            features: (B, P, D) of the vision model.
            context: the scenes.

        Returns:
            Logits of the language model and of the fusion, both (B, P, C + 1).
        """
        said, language_logits = self.language(logits)
        share = torch.sigmoid(self.gate(torch.cat([said, features], dim=-1)))
        fused = self.fuse("late", share * features + (1 - share) * said, context)
        return language_logits, self.head(fused)

    def corrected(self, logits: Tensor, features: Tensor, context: SceneContext | None = None) -> Tensor:
        """The second output of `correct`."""
        return self.correct(logits, features, context)[1]

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """Cross entropies (section 3.4): of vision, and of language and fusion on average over all iterations."""
        goals = targets[:, 1:]

        def entropy(*readings: Tensor) -> Tensor:
            each = (cross_entropy(x[:, : goals.shape[1]], goals, self.tokenizer.pad, characters) for x in readings)
            return sum(x / len(readings) for x in each)  # type: ignore[return-value]

        vision, language, fusion = self.forward(images, context)
        parts = {"vision": entropy(vision), "language": entropy(*language), "fusion": entropy(*fusion)}
        total = parts["vision"] + self.cfg.language_weight * parts["language"] + parts["fusion"]
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """`image`: the vision model. `correct`: an iteration."""
        correct = GraphModule(self, self.corrected, 2, "late")
        return {"image": GraphModule(self, self.vision, 1, "early"), "correct": correct}


ABINET_PRESETS: dict[str, AbinetConfig] = {
    "abinet": AbinetConfig(charset=Charset.preset("94")),
    # A quarter of the tokens, no dropout
    "abinet-compact": AbinetConfig(
        charset=Charset.preset("94"),
        stem=((32, 2, 2), (64, 2, 2), (64, 1, 1), (128, 2, 1), (128, 2, 1)),
        units=3,
        heads=4,
        funnel=32,
        language_units=2,
        dropout=0.0,
    ),
}
"""Models by name: the paper's, and a compact one of our own."""
