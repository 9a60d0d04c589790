"""PARSeq (arXiv 2207.06966): an image tower and one decoder. CLIP4STR's visual branch is one, in CLIP's tower."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from wordsight.decoding import PsmSpec
from wordsight.imaging import Preprocessing
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip4str.loss import clip4str_losses
from wordsight.models.clip4str.model import Clip4Str
from wordsight.models.clipter.context import BLOCK, Contextual, SceneContext
from wordsight.models.config import DecoderConfig, ImageTowerConfig, from_plain
from wordsight.models.losses import Losses
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.registry import register
from wordsight.text import Charset, CharTokenizer


@dataclass(frozen=True)
class ParseqConfig:
    """Sizes of a PARSeq. `embed_dim` is the width of its decoder, to which the image tower projects."""

    image: ImageTowerConfig
    decoder: DecoderConfig
    embed_dim: int
    charset: Charset
    max_length: int = 25
    num_permutations: int = 6
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    # What a `Clip4StrConfig` says besides, for those who take either
    captions: ClassVar[str] = "characters"
    cross_steps: ClassVar[str] = "own"
    pooled: ClassVar[bool] = False
    share_dim: ClassVar[bool] = True

    @property
    def tokenizer(self) -> CharTokenizer:
        """Of the decoder."""
        return CharTokenizer(self.charset)

    @property
    def psm(self) -> PsmSpec:
        """What decoding has to know."""
        return PsmSpec(self.tokenizer, self.max_length)

    @property
    def visual_dim(self) -> int:
        """Width of the decoder and of its memory."""
        return self.embed_dim

    @property
    def memory_tokens(self) -> int:
        """Image tokens in the memory."""
        return self.image.tokens

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become the image tower's input."""
        return Preprocessing(self.image.height, self.image.width_px, self.mean, self.std)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ParseqConfig":
        """The inverse of `to_dict`, also after a trip through JSON.

        Raises:
            ConfigError: a key is unknown or missing.
        """
        parts = {"image": ImageTowerConfig, "decoder": DecoderConfig, "charset": Charset}
        return from_plain(cls, parts, values)


@register("parseq")
class Parseq(Contextual):
    """The recognizer: what `Clip4Str` is without its cross-modal branch, in any vision transformer.

    Scenes condition it early, on the encoder's output or inside its tower, or late, on the decoder's output.
    """

    architecture: ClassVar[str]
    decoding = "psm"
    places = ("early", "late.visual")
    cross_decoder = ctc_head = None

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> "Parseq":
        """The model that a checkpoint's configuration describes."""
        return cls(ParseqConfig.from_dict(values))

    def __init__(self, cfg: ParseqConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tokenizer = cfg.tokenizer
        self.image_tower = ImageTower(cfg.image, cfg.embed_dim)
        ids = self.tokenizer
        self.visual_decoder = Decoder(cfg.decoder, cfg.embed_dim, ids.vocab_size, ids.num_classes, cfg.max_length)

    @property
    def widths(self) -> dict[str, int]:
        """See `Contextual`."""
        return {"early": self.cfg.embed_dim, BLOCK: self.cfg.image.width, "late.visual": self.cfg.embed_dim}

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D)."""
        inside = self.inside(context)
        memory: Tensor = self.image_tower(images) if inside is None else self.image_tower(images, inside)
        return self.fuse("early", memory, context)

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """Training objective under permuted sequence modelling: that of `Clip4Str.loss` without the cross branch."""
        visual_branch = cast(Clip4Str, self)  # all that the loss touches without the cross branch
        return clip4str_losses(
            visual_branch, images, targets, generator, cross=False, context=context, characters=characters
        )

    param_groups = Clip4Str.param_groups
