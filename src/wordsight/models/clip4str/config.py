"""The configuration of a CLIP4STR. A preset is a whole model."""

from dataclasses import dataclass, replace
from typing import Literal

from wordsight.decoding.graphs import Spec
from wordsight.errors import ConfigError
from wordsight.models.clip.config import CLIP_TOWERS, MEAN, STD, ClipConfig
from wordsight.models.config import (
    COMPACT_TOWER,
    PPOCR_TOWER,
    DecoderConfig,
    HubTextConfig,
    ImageTowerConfig,
    TextTowerConfig,
)
from wordsight.models.parseq.config import ParseqConfig
from wordsight.text import Captions, CharCaptions, Charset, CharTokenizer, ClipCaptions, HubCaptions


@dataclass(frozen=True, kw_only=True)
class Clip4StrConfig(ParseqConfig):
    """Everything that decides what a CLIP4STR computes, beyond what a `ParseqConfig` says.

    Attributes:
        text: the text tower.
        embed_dim: D, the width of image tokens, text features and both decoders: that of CLIP's common space.
        share_dim: whether the visual decoder, too, reads image tokens that are projected to `embed_dim` (the released
            `use_share_dim`). Otherwise it has the image tower's width, and tokens are projected for the cross-modal
            branch alone.
        pooled: whether one vector is kept of each tower, the class token and the end of the text (the released
            `clip_cls_eot_feature`, an ablation).
        ctc_weight: of an auxiliary CTC loss on the image tokens (ours, for training from random weights; 0 leaves its
            head out).
        captions: what the text tower reads. "clip": CLIP's byte-pair encoding of the prediction's letters and digits in
            lower case, `caption_context` tokens, zero padded; the decoder attends to the padding too (as released).
            "characters": ids of the model's own `CharTokenizer`, padding hidden (ours). "hub": the prediction by the
            tokenizer of `hub`, padding hidden (ours).
        caption_context: tokens of a caption that is not of characters; longer ones are cut. At most the text tower's
            positions.
        hub: a text encoder of `transformers`, the text tower instead of `text`.
        cross_steps: how many characters the cross-modal branch predicts before refinement. "own": up to its own [E].
            "visual": at most as many as the visual branch did for the same image (as released, at batch size 1).
    """

    text: TextTowerConfig
    max_length: int = 40
    ctc_weight: float = 0.0
    captions: Literal["characters", "clip", "hub"] = "characters"
    caption_context: int = 16
    hub: HubTextConfig | None = None
    share_dim: bool = True
    pooled: bool = False
    cross_steps: Literal["own", "visual"] = "own"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.captions == "hub") != (self.hub is not None):
            raise ConfigError("captions by a hub tokenizer need a hub text encoder, and vice versa")
        if self.pooled and not (self.captions == "clip" and self.image.class_token and not self.text.embedding_only):
            raise ConfigError("pooled needs clip captions, a class token and a text tower with blocks")
        if self.ctc_weight and (self.pooled or self.visual_dim != self.embed_dim):
            raise ConfigError("a CTC head reads all image tokens, in embed_dim: set ctc_weight to 0")
        if self.hub is not None:
            return
        if self.text.embedding_only and self.text.width != self.embed_dim:
            raise ConfigError(f"token embeddings of width {self.text.width} do not fit embed_dim {self.embed_dim}")
        needed = self.caption_context if self.captions == "clip" else self.max_length + 2
        if self.text.context < needed:
            raise ConfigError(f"the text tower has {self.text.context} positions, its captions need {needed}")

    @property
    def visual_dim(self) -> int:
        """See `ParseqConfig`."""
        return self.embed_dim if self.share_dim else self.image.width

    @property
    def caption_tokenizer(self) -> Captions:
        """What turns readings into the text tower's input."""
        if self.hub is not None:
            return HubCaptions(self.hub.tokenizer, self.caption_context)
        if self.captions == "clip":
            return ClipCaptions(self.caption_context)
        return CharCaptions(self.tokenizer, self.max_length)

    @property
    def spec(self) -> Spec:
        """What decoding has to know."""
        return Spec(self.tokenizer, self.max_length, self.caption_tokenizer, self.cross_steps)


def _compact(image: ImageTowerConfig, width: int, text_layers: int) -> Clip4StrConfig:
    """A compact CLIP4STR (ours), whose captions are characters."""
    charset, heads, max_length = Charset.preset("94+space"), width // 32, 40
    vocab_size = CharTokenizer(charset).vocab_size
    return Clip4StrConfig(
        image=image,
        text=TextTowerConfig(vocab_size, max_length + 2, width, text_layers, heads, activation="gelu"),
        decoder=DecoderConfig(heads=heads, dropout=0.0),
        embed_dim=width,
        charset=charset,
        max_length=max_length,
        num_permutations=4,
        ctc_weight=1.0,
    )


SMALL_TOWER = replace(
    COMPACT_TOWER,
    stem=(
        *((32, 2, 2), (32, 1, 1), (64, 2, 2), (64, 1, 1), (64, 1, 1)),
        *((128, 2, 1), (128, 1, 1), (192, 2, 1), (192, 2, 1)),
    ),
    layers=6,
)
"""That of the shipped model `small`."""


def _released(towers: ClipConfig) -> Clip4StrConfig:
    """CLIP4STR on CLIP's towers, as in the paper and its released code."""
    return Clip4StrConfig(
        image=towers.image,
        text=towers.text,
        decoder=DecoderConfig(heads=8, mlp_ratio=4.0, dropout=0.1, packed_init=True),
        embed_dim=towers.embed_dim,
        charset=Charset.preset("94"),
        max_length=25,
        num_permutations=6,
        captions="clip",
        cross_steps="visual",
        mean=MEAN,
        std=STD,
    )


_H14 = CLIP_TOWERS["ViT-H-14"]

CLIP4STR_PRESETS: dict[str, Clip4StrConfig] = {
    "clip4str-tiny": _compact(COMPACT_TOWER, 192, text_layers=2),
    "clip4str-small": _compact(SMALL_TOWER, 192, text_layers=2),
    "clip4str-ppocr": _compact(PPOCR_TOWER, 256, text_layers=4),
    "clip4str-b32": _released(CLIP_TOWERS["ViT-B-32"]),
    "clip4str-b16": _released(CLIP_TOWERS["ViT-B-16"]),
    "clip4str-l14": _released(CLIP_TOWERS["ViT-L-14"]),
    "clip4str-l14-336": _released(CLIP_TOWERS["ViT-L-14-336"]),
    "clip4str-h14": _released(replace(_H14, image=replace(_H14.image, heads=16))),
    "clip4str-h14-20heads": _released(_H14),
}
"""Models by name: compact ones of our own, and the paper's.

`clip4str-h14` is for training from OpenCLIP's towers, pre-trained with 16 heads of 80 channels. The released CLIP4STR-H
was trained with 20 heads in the same image tower, which its shapes do not show: it needs `clip4str-h14-20heads`.
"""
