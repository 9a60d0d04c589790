"""TRBA (Baek et al., arXiv 1904.01906): straighten, look, read along the line, write letter by letter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.baselines.config import BaselineConfig, cross_entropy
from wordsight.models.baselines.groups import param_groups
from wordsight.models.baselines.resnet import ResNet29
from wordsight.models.baselines.tps import Rectifier
from wordsight.models.clip.image import ConvStem
from wordsight.models.clipter.context import Contextual, SceneContext
from wordsight.models.config import ImageTowerConfig
from wordsight.models.losses import Losses
from wordsight.models.registry import register
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class TrbaConfig(BaselineConfig):
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
        rows, _ = ImageTowerConfig(self.height, self.width_px, stem=self.stem).grid if self.stem else (1, 0)
        if rows != 1:
            raise ConfigError(f"the stem makes {rows} rows of {self.height} pixels: it must make one")

    @property
    def channels(self) -> int:
        """Width of a column."""
        return self.stem[-1][0] if self.stem else self.width


TRBA_PRESETS: dict[str, TrbaConfig] = {
    # As published, but for three colours and 128 columns, as in PARSeq's comparison (there: grey and 100)
    "trba": TrbaConfig(charset=Charset.preset("94")),
    # Without rectification; the convolutions of clip4str-tiny
    "trba-compact": TrbaConfig(
        charset=Charset.preset("94"),
        points=0,
        stem=((32, 2, 2), (64, 2, 2), (64, 1, 1), (128, 2, 1), (192, 2, 1), (192, 2, 1)),
        hidden=128,
    ),
}
"""Models by name: the paper's, and a compact one of our own."""


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
    """A bidirectional LSTM and a projection: (B, L, D) to (B, L, hidden)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.project = nn.Linear(2 * hidden, hidden)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Columns that know their neighbours."""
        return self.project(self.lstm(x)[0])


class AttentionCell(nn.Module):
    """One letter: look where the state says, then an LSTM cell over what is seen and the letter before.

    The published cell takes that letter as a one-hot vector beside what is seen. A row of a table for each letter is
    the same.
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
        """Features (B, L, D) beside their keys, projected once for all letters: (B, 2, L, D)."""
        return torch.stack([features, self.keys(features)], dim=1)

    def start(self, rows: Tensor) -> Tensor:
        """The first state (B, 2, D) for something (B, ...): nothing."""
        return rows.new_zeros(rows.shape[0], 2, self.query.in_features)

    def forward(self, tokens: Tensor, state: Tensor, memory: Tensor) -> Tensor:
        """Letters before (B,), state (B, 2, D), that is hidden and cell, and `memory`. Returns the next state."""
        hidden, cell = state.unbind(1)
        features, keys = memory.unbind(1)
        weights = self.score(torch.tanh(keys + self.query(hidden)[:, None])).softmax(1)  # (B, L, 1)
        seen = (weights * features).sum(1)
        gates = self.glimpse(seen) + self.recurrent(hidden) + self.embedding(tokens)
        take, keep, new, show = gates.chunk(4, dim=-1)
        cell = keep.sigmoid() * cell + take.sigmoid() * new.tanh()
        return torch.stack([show.sigmoid() * cell.tanh(), cell], dim=1)


@register("trba")
class Trba(Contextual):
    """The recognizer.

    Early, scenes condition its contextual features, the columns behind the recurrent layers; late, the hidden
    state behind the cell, at every letter: the letter is chosen, and the next step begins, with what came of it.
    """

    architecture: ClassVar[str]
    decoding: ClassVar[Literal["recurrent"]] = "recurrent"

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> "Trba":
        """The model that a checkpoint's configuration describes."""
        return cls(TrbaConfig.from_dict(values))

    def __init__(self, cfg: TrbaConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tokenizer = cfg.tokenizer
        size = (cfg.height, cfg.width_px)
        self.image_encoder = nn.Sequential(
            Rectifier(size, cfg.points, cfg.locator) if cfg.points else nn.Identity(),
            ConvStem(cfg.stem) if cfg.stem else ResNet29(cfg.width, cfg.blocks),
        )
        self.sequence = nn.Sequential(Sequence(cfg.channels, cfg.hidden), Sequence(cfg.hidden, cfg.hidden))
        self.cell = AttentionCell(cfg.hidden, self.tokenizer.vocab_size, self.tokenizer.num_classes)

    @property
    def widths(self) -> dict[str, int]:
        """See `Contextual`."""
        return {"early": self.cfg.hidden, "late": self.cfg.hidden}

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to the columns that letters are read from (B, L, hidden), in the paper W / 4 + 1."""
        columns = self.image_encoder(images).squeeze(2).transpose(1, 2)  # (B, L, width)
        return self.fuse("early", self.sequence(columns), context)

    def step(self, tokens: Tensor, state: Tensor, memory: Tensor, context: SceneContext | None = None) -> Tensor:
        """The state after one more letter, see `AttentionCell`."""
        state = self.cell(tokens, state, memory)
        hidden = self.fuse("late", state[:, :1], context)  # (B, 1, D)
        return torch.cat([hidden, state[:, 1:]], dim=1)

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """Cross entropy of every letter, told the true ones before it. `generator` is not used.

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
            generator: of other recognizers' draws.
            context: the scenes.
            characters: see `cross_entropy`.
        """
        memory = self.cell.memory(self.encode(images, context))
        state = self.cell.start(memory)
        hidden = []
        for tokens in targets[:, :-1].unbind(1):
            state = self.step(tokens, state, memory, context)
            hidden.append(state[:, 0])
        logits = self.cell.head(torch.stack(hidden, dim=1))
        return Losses(cross_entropy(logits, targets[:, 1:], self.tokenizer.pad, characters))

    def param_groups(self, lr: float, decoder_lr_scale: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW groups: rectification and convolutions, and the recurrent rest at `decoder_lr_scale`."""
        return param_groups(self, "image_encoder", lr, decoder_lr_scale, weight_decay)
