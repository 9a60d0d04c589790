"""PP-OCRv6's recognizer: PP-LCNetV4 convolutions make frames, two SVTR blocks relate them, CTC spells.

It reads pictures of any width, a word or a whole line.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.decoding.ctc import CTC
from wordsight.decoding.joint import LONGEST, MOST_COLUMNS
from wordsight.imaging import Preprocessing
from wordsight.models.clipter import SceneContext
from wordsight.models.layers.lcnet import LcNet, LcNetConfig
from wordsight.models.losses import Losses, ctc_loss
from wordsight.models.ppocr.decoder import WordDecoder, WordDecoderConfig
from wordsight.models.ppocr.neck import NeckConfig, SvtrNeck
from wordsight.models.recognizer import CropConfig, GraphModule, Recognizer
from wordsight.text import Charset

ROWS = 3
"""What the convolutions leave of the height of a crop."""


@dataclass(frozen=True, kw_only=True)
class SvtrConfig(CropConfig):
    """Sizes of the recognizer; those given are of PP-OCRv6 small.

    Attributes:
        width_px: None: crops keep their aspect ratio.
        margin: columns of zeros on the right of each, at least.
        stretch: how many times as wide they are made.
        convolutions: sizes of the image tower. It must leave three rows of a crop, in steps of 4 pixels.
        neck: sizes of what relates its columns.
        decoder: sizes of a second reader of words beside CTC; None: there is none.
        decoder_weight: of its loss. It gives no gradient to the image tower.
    """

    max_length: int = 256
    height: int = 48
    width_px: int | None = None  # type: ignore[assignment]
    margin: int = 24
    stretch: float = 1.0
    convolutions: LcNetConfig = field(default_factory=LcNetConfig)
    neck: NeckConfig = field(default_factory=NeckConfig)
    decoder: WordDecoderConfig | None = None
    decoder_weight: float = 1.0

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become input."""
        return Preprocessing(self.height, self.width_px, self.mean, self.std, self.margin, self.stretch)


class Svtr(Recognizer):
    """The recognizer. Early is one row of what the convolutions see, late are the frames before the head."""

    architecture = "svtr"
    kind = CTC
    config_class = SvtrConfig
    cfg: SvtrConfig

    def __init__(self, cfg: SvtrConfig) -> None:
        super().__init__(cfg)
        channels = cfg.convolutions.widths[-1]
        self.widths = {"early": channels, "late": cfg.neck.width}
        # Twice as quick on a CPU, in training most of all: half of the time goes into depthwise convolutions
        self.image_encoder = LcNet(cfg.convolutions).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.neck = SvtrNeck(cfg.neck, channels)
        self.head = nn.Linear(cfg.neck.width, self.tokenizer.num_classes)
        self.word_decoder: WordDecoder | None = None
        if cfg.decoder is not None:
            self.word_decoder = WordDecoder(cfg.decoder, channels, ROWS, self.tokenizer)

    def forward(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, 48, W) to the logits (B, W / 8, C + 1) of frames from left to right, [E] being the blank."""
        return self.decode(self.encode(images, context), context)

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, 48, W) to frames (B, W / 8, D) from left to right."""
        return self.frames(self.see(images), context)

    def see(self, images: Tensor) -> Tensor:
        """Images (B, 3, 48, W) to what the convolutions see of them (B, D, 3, W / 4)."""
        return self.image_encoder(images.contiguous(memory_format=torch.channels_last))[-1]

    def frames(self, seen: Tensor, context: SceneContext | None = None) -> Tensor:
        """One row (B, W / 8, D) of what the convolutions see."""
        row = F.avg_pool2d(seen, (ROWS, 2))
        return self.fuse("early", row.squeeze(2).transpose(1, 2), context)

    def decode(self, memory: Tensor, context: SceneContext | None = None) -> Tensor:
        """Frames (B, T, D) to logits (B, T, C + 1), [E] being the blank."""
        return self.head(self.fuse("late", self.neck(memory), context))

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """CTC, as `Crnn.loss`, and permuted sequence modelling of words where there is a decoder."""
        seen = self.see(images)
        logits = self.decode(self.frames(seen, context), context)
        total = ctc_loss(logits, targets, self.tokenizer.pad)
        parts = {"ctc": total.detach()}
        if self.word_decoder is not None:
            words = self.word_decoder.loss(columns(seen.detach()), logits, targets, generator)
            total, parts["decoder"] = total + self.cfg.decoder_weight * words, words.detach()
        return Losses(total, parts)

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """All of it; with a decoder of words also its memory, and a pass of it."""
        second = self.word_decoder
        if second is None:
            return super().graphs(cross)
        return {
            "image": GraphModule(self, self.look, 1, "early", "late"),
            "memory": GraphModule(self, second.memory, 1),
            "visual": GraphModule(self, second.forward, 3),
        }

    @property
    def limits(self) -> dict[str, int]:
        """See `Recognizer`; those of the decoder of words."""
        return {"length": LONGEST + 1, "columns": MOST_COLUMNS}

    def look(self, images: Tensor, context: SceneContext | None = None) -> tuple[Tensor, Tensor]:
        """Images (B, 3, 48, W) to the logits (B, W / 8, C + 1) of frames and to columns (B, W / 4, D x 3)."""
        seen = self.see(images)
        return self.decode(self.frames(seen, context), context), columns(seen)


def columns(seen: Tensor) -> Tensor:
    """What the convolutions see (B, D, 3, W / 4), column by column (B, W / 4, D x 3), as is quickest."""
    return seen.flatten(1, 2).transpose(1, 2)


SVTR_PRESETS: dict[str, SvtrConfig] = {"svtr": SvtrConfig(charset=Charset.preset("latin-extended"))}
"""Models by name: PP-OCRv6 small's recognizer, writing all Latin letters."""
