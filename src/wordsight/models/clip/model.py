"""CLIP (arXiv 2103.00020): an image and a text, each as one vector, near each other where they belong together."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.models.clip.config import ClipConfig
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip.text import TextTower, end_of_text
from wordsight.models.model import Model
from wordsight.text import CharCaptions, CharTokenizer, ClipTokenizer


class Clip(Model):
    """Both towers and the temperature of their similarity. It reads nothing: recognizers start from its towers."""

    architecture = "clip"
    config_class = ClipConfig
    cfg: ClipConfig

    def __init__(self, cfg: ClipConfig) -> None:
        super().__init__(cfg)
        self.image_tower = ImageTower(cfg.image, cfg.embed_dim)
        self.text_tower = TextTower(cfg.text, cfg.embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # CLIP's start

    def encode_image(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to unit vectors (B, D): the class token's, or the mean's of a tower that has none."""
        tokens = self.image_tower.tokens(images)
        whole = tokens[:, 0] if self.cfg.image.class_token else tokens.mean(1)
        return F.normalize(self.image_tower.project(whole), dim=-1)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Texts as `encode_text` takes them, (N, S): what is too long is cut, what the charset lacks is left out."""
        charset, context = self.cfg.charset, self.cfg.text.context
        if charset is None:
            return torch.from_numpy(ClipTokenizer().encode(texts, context))
        spelled = [charset.adapt(charset.normalize(text)) for text in texts]
        return torch.from_numpy(CharCaptions(CharTokenizer(charset), context - 2).encode(spelled)[0])

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Tokens (N, S) to unit vectors (N, D): that of the end of each text."""
        features = self.text_tower(tokens)
        if self.cfg.charset is None:
            return F.normalize(end_of_text(features, tokens), dim=-1)
        ends = (tokens == CharTokenizer(self.cfg.charset).eos).int().argmax(1)
        return F.normalize(features[torch.arange(len(ends), device=ends.device), ends], dim=-1)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, N): how well every text fits every image."""
        return self.logit_scale.exp() * self.encode_image(images) @ self.encode_text(tokens).T
