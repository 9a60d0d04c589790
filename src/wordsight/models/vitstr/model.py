"""ViTSTR (Atienza, arXiv 2105.08582): a vision transformer whose first tokens are the characters, all at once."""

from torch import Tensor, nn

from wordsight.decoding.one_shot import ONE_SHOT
from wordsight.models.clip.image import ImageTower
from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.context import BLOCK, Conditioning
from wordsight.models.recognizer import Recognizer
from wordsight.models.vitstr.config import VitstrConfig


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
        logits: Tensor = self.head(read)
        return logits
