"""PP-OCRv6's recognizer: PP-LCNetV4 convolutions make frames, two SVTR blocks relate them, CTC spells.

It reads pictures of any width, a word or a whole line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.imaging import Preprocessing
from wordsight.models.baselines.config import BaselineConfig
from wordsight.models.baselines.groups import param_groups
from wordsight.models.clipter import Contextual, SceneContext
from wordsight.models.losses import Losses, ctc_loss
from wordsight.models.ppocr.lcnet import LcNet, LcNetConfig
from wordsight.models.ppocr.neck import NeckConfig, SvtrNeck
from wordsight.models.registry import register
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class SvtrConfig(BaselineConfig):
    """Sizes of the recognizer; those given are of PP-OCRv6 small.

    Attributes:
        width_px: None: crops keep their aspect ratio.
        margin: columns of zeros on the right of each, at least.
        stretch: how many times as wide they are made.
        convolutions: sizes of the image tower. It must leave three rows of a crop, in steps of 4 pixels.
        neck: sizes of what relates its columns.
    """

    max_length: int = 256
    height: int = 48
    width_px: int | None = None  # type: ignore[assignment]
    margin: int = 24
    stretch: float = 1.0
    convolutions: LcNetConfig = field(default_factory=LcNetConfig)
    neck: NeckConfig = field(default_factory=NeckConfig)

    PARTS: ClassVar[Mapping[str, type]] = {"charset": Charset, "convolutions": LcNetConfig, "neck": NeckConfig}

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become input."""
        return Preprocessing(self.height, self.width_px, self.mean, self.std, self.margin, self.stretch)


@register("svtr")
class Svtr(Contextual):
    """The recognizer. Early is one row of what the convolutions see, late are the frames before the head."""

    architecture: ClassVar[str]
    decoding = "ctc"

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> "Svtr":
        """The model that a checkpoint's configuration describes."""
        return cls(SvtrConfig.from_dict(values))

    def __init__(self, cfg: SvtrConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tokenizer = cfg.tokenizer
        channels = cfg.convolutions.widths[-1]
        # Twice as quick on a CPU, in training most of all: half of the time goes into depthwise convolutions
        self.image_encoder = LcNet(cfg.convolutions).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.neck = SvtrNeck(cfg.neck, channels)
        self.head = nn.Linear(cfg.neck.width, self.tokenizer.num_classes)

    @property
    def widths(self) -> dict[str, int]:
        """See `Contextual`."""
        return {"early": self.cfg.convolutions.widths[-1], "late": self.cfg.neck.width}

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, 48, W) to columns (B, W / 8, D) from left to right."""
        images = images.contiguous(memory_format=torch.channels_last)
        row = F.avg_pool2d(self.image_encoder(images)[-1], (3, 2))
        return self.fuse("early", row.squeeze(2).transpose(1, 2), context)

    def decode(self, memory: Tensor, context: SceneContext | None = None) -> Tensor:
        """Columns (B, T, D) to logits (B, T, C + 1), [E] being the blank."""
        logits: Tensor = self.head(self.fuse("late", self.neck(memory), context))
        return logits

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """CTC, as `Crnn.loss`."""
        logits = self.decode(self.encode(images, context), context)
        total = ctc_loss(logits, targets, self.tokenizer.pad)
        return Losses(total, {"ctc": total.detach()})

    def param_groups(self, lr: float, decoder_lr_scale: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW groups: the convolutions, and the rest at `decoder_lr_scale`."""
        return param_groups(self, "image_encoder", lr, decoder_lr_scale, weight_decay)


SVTR_PRESETS: dict[str, SvtrConfig] = {"svtr": SvtrConfig(charset=Charset.preset("latin-extended"))}
"""Models by name: PP-OCRv6 small's recognizer, writing all Latin letters."""
