"""ViTSTR (Atienza, arXiv 2105.08582): a vision transformer whose first tokens are the characters, all at once."""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from wordsight.decoding.one_shot import ONE_SHOT
from wordsight.errors import ConfigError
from wordsight.models.clip.image import ImageTower
from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.model import BLOCK, Conditioning
from wordsight.models.config import COMPACT_TOWER, ImageTowerConfig
from wordsight.models.recognizer import CropConfig, Recognizer
from wordsight.text import Charset


@dataclass(frozen=True, kw_only=True)
class VitstrConfig(CropConfig):
    """Sizes of a ViTSTR.

    Raises:
        ConfigError: the tower has another input size, no class token, or too few tokens for `max_length`.
    """

    image: ImageTowerConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.image.height, self.image.width_px) != (self.height, self.width_px) or not self.image.class_token:
            raise ConfigError(f"the tower needs a class token and images of {self.height}x{self.width_px}")
        if self.image.tokens < self.max_length + 2:
            raise ConfigError(f"{self.image.tokens} image tokens cannot be {self.max_length} characters and two more")


def _deit(width: int, heads: int) -> VitstrConfig:
    """In the transformer of DeiT (arXiv 2012.12877): 12 blocks over patches of 16x16."""
    tower = ImageTowerConfig(width=width, heads=heads, activation="gelu", norm_pre=False, norm_eps=1e-6)
    return VitstrConfig(charset=Charset.preset("94"), height=224, width_px=224, image=tower)


class Vitstr(Recognizer):
    """The recognizer.

    The paper reads the first max_length + 2 tokens: [GO], the characters, and [s] that ends them. Of
    `CharTokenizer.encode`'s [B] c1 c2 ... [E], token i of the transformer is id i likewise. [B] is always there and
    tells nothing: the class token, which would say it, has no logits, and the head no class for it (ours).

    CLIPTER's early insertion point is behind the middle block of the tower unless a block is named: behind the last one
    comes nothing but the head, so that early would be late there. Late is on the tokens that are read.
    """

    architecture = "vitstr"
    kind = ONE_SHOT
    config_class = VitstrConfig
    encoders = ("image_tower.",)
    cfg: VitstrConfig

    def __init__(self, cfg: VitstrConfig) -> None:
        super().__init__(cfg)
        self.image_tower = ImageTower(cfg.image, None)
        self.widths = dict.fromkeys(("early", "late", BLOCK), cfg.image.width)
        self.head = nn.Linear(cfg.image.width, self.tokenizer.num_classes)

    def forward(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to the logits (B, max_length + 1, C + 1) of all positions."""
        return self.decode(self.encode(images, context), context)

    def inside(self, context: SceneContext | None) -> tuple[int, Conditioning] | None:
        """See `Contextual`."""
        middle = self.conditioning("early", context)
        return super().inside(context) if middle is None else (self.cfg.image.layers // 2 - 1, middle)

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to all tokens (B, L, D), the class token first."""
        return self.image_tower.tokens(images, self.inside(context))

    def decode(self, memory: Tensor, context: SceneContext | None = None) -> Tensor:
        """Tokens (B, L, D) to logits (B, max_length + 1, C + 1)."""
        read = self.fuse("late", memory[:, 1 : self.cfg.max_length + 2], context)
        return self.head(read)


VITSTR_PRESETS: dict[str, VitstrConfig] = {
    "vitstr-tiny": _deit(192, 3),
    "vitstr-small": _deit(384, 6),
    "vitstr-base": _deit(768, 12),
    # Not in patches of 4x8 but in the tower of clip4str-tiny: a quarter of the tokens, and room for 25 characters
    "vitstr-compact": VitstrConfig(charset=Charset.preset("94"), image=replace(COMPACT_TOWER, class_token=True)),
}
"""Models by name: the paper's, and a compact one of our own."""
