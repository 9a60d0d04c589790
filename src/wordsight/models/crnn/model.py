"""CRNN (Shi, Bai and Yao, arXiv 1507.05717).

image -> convolutional layers -> frames -> two bidirectional LSTMs -> logits -> transcription (CTC)
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from wordsight.decoding.ctc import CTC
from wordsight.errors import ConfigError
from wordsight.models.clipter import SceneContext
from wordsight.models.config import COMPACT_TOWER, PP_LCNET, ImageTowerConfig
from wordsight.models.layers.convolutions import BACKBONE_CHANNELS, Backbone, ConvStem
from wordsight.models.recognizer import CropConfig, Recognizer
from wordsight.text import Charset

VGG = (64, 128, 256, 256, 512, 512, 512)
"""Channels of the seven convolutions (paper, table 1)."""


@dataclass(frozen=True, kw_only=True)
class CrnnConfig(CropConfig):
    """Sizes of a CRNN. The paper's input is grey and 100 pixels wide while training; ours is RGB and 128.

    Attributes:
        stem: empty for the paper's convolutions; otherwise those of a `ConvStem`. They must leave one row, and a column
            for each of `max_length` characters; CTC needs one more between equal ones.
        backbone: of `ImageTowerConfig`, instead; the mean of its rows is the one row.
        hidden: width of an LSTM in each direction.

    Raises:
        ConfigError: the convolutions leave more than one row, or too few columns.
    """

    stem: tuple[tuple[int, int, int], ...] = ()
    backbone: Literal["", "pp-lcnet-v4"] = ""
    hidden: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        rows, columns = self.grid
        if rows != 1:
            raise ConfigError(f"of {self.height} pixels the convolutions make {rows} rows: they must make one")
        if columns < self.max_length:
            raise ConfigError(f"{columns} columns cannot spell {self.max_length} characters: widen the input")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns that the convolutions leave."""
        if self.stem or self.backbone:
            rows, columns = ImageTowerConfig(self.height, self.width_px, stem=self.stem, backbone=self.backbone).grid
            return 1 if self.backbone else rows, columns
        return self.height // 16 - 1, self.width_px // 4 - 1

    @property
    def channels(self) -> int:
        """Width of a column."""
        if self.backbone:
            return BACKBONE_CHANNELS
        return self.stem[-1][0] if self.stem else VGG[-1]


def vgg() -> nn.Sequential:
    """The paper's convolutions (table 1): (B, 3, H, W) to (B, 512, H / 16 - 1, W / 4 - 1).

    The last two poolings halve the height alone. Batch norm follows the fifth and sixth convolution, as published. It
    lets training batches of words of like length reveal that length to the model, which it does not know when it reads
    (see `ConvStem`): shuffle lengths, or take `crnn-compact`, which has none.
    """
    stages: list[nn.Module] = []
    pools: dict[int, int | tuple[int, int]] = {0: 2, 1: 2, 3: (2, 1), 5: (2, 1)}
    before = 3
    for i, channels in enumerate(VGG):
        last = i + 1 == len(VGG)
        conv = nn.Conv2d(before, channels, 2 if last else 3, padding=0 if last else 1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        stages += [conv, *([nn.BatchNorm2d(channels)] if i in (4, 5) else []), nn.ReLU()]
        if i in pools:
            stages.append(nn.MaxPool2d(pools[i]))
        before = channels
    return nn.Sequential(*stages)


class Crnn(Recognizer):
    """The recognizer. Early are the frames before the LSTMs, late those after them, before the head."""

    architecture = "crnn"
    kind = CTC
    config_class = CrnnConfig
    cfg: CrnnConfig

    def __init__(self, cfg: CrnnConfig) -> None:
        super().__init__(cfg)
        self.widths = {"early": cfg.channels, "late": 2 * cfg.hidden}
        self.image_encoder: nn.Module = Backbone() if cfg.backbone else ConvStem(cfg.stem) if cfg.stem else vgg()
        # What batch norm does for the scale of the paper's frames, without statistics of the batch
        self.norm: nn.Module = nn.LayerNorm(cfg.channels) if cfg.stem or cfg.backbone else nn.Identity()
        self.first = nn.LSTM(cfg.channels, cfg.hidden, batch_first=True, bidirectional=True)
        # Not in the paper's text, but in its released code and in its 8.3 M parameters
        self.between = nn.Linear(2 * cfg.hidden, cfg.hidden)
        self.second = nn.LSTM(cfg.hidden, cfg.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * cfg.hidden, self.tokenizer.num_classes)
        for part in (self.first, self.between, self.second, self.head):
            part.apply(_initialise)

    def forward(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to the logits (B, T, C + 1) of T frames from left to right, [E] being the blank."""
        frames = self.encode(images, context)
        read, _ = self.second(self.between(self.first(frames)[0]))  # (B, T, 2 * hidden)
        return self.head(self.fuse("late", read, context))

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to frames (B, T, D) from left to right."""
        frames = self.norm(self.image_encoder(images).mean(2).transpose(1, 2))
        return self.fuse("early", frames, context)


def _initialise(module: nn.Module) -> None:
    """Xavier, orthogonal where an LSTM hears itself, no biases at first (ours; the paper says nothing).

    With PyTorch's own, smaller ones two LSTMs let through so little that training stays long at all blanks.
    """
    for name, parameter in module.named_parameters(recurse=False):
        if name.startswith("weight_hh"):
            for gate in parameter.detach().chunk(4):
                nn.init.orthogonal_(gate)
        elif parameter.ndim > 1:
            nn.init.xavier_normal_(parameter)
        else:
            nn.init.zeros_(parameter)


CRNN_PRESETS: dict[str, CrnnConfig] = {
    "crnn": CrnnConfig(charset=Charset.preset("94")),
    "crnn-ppocr": CrnnConfig(charset=Charset.preset("94"), height=48, width_px=192, backbone=PP_LCNET, hidden=128),
    "crnn-compact": CrnnConfig(charset=Charset.preset("94"), stem=COMPACT_TOWER.stem, hidden=128),
}
"""Models by name: the paper's, one on PP-OCRv6's convolutions, and a compact one of our own."""
