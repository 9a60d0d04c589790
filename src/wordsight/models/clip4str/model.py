"""CLIP4STR (arXiv 2305.14014): an image tower and a decoder read; a text tower and a second decoder check the reading.

    image -> image tower -> memory -> visual decoder -> visual reading
    visual reading -> text tower -> text tokens
    [memory, gradient stopped; text tokens] -> cross-modal decoder -> reading

Step-by-step prediction and refinement are not here but in `wordsight.decoding`, which runs this model and its exported
graphs by the same code.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wordsight.models.clip.image import ImageTower
from wordsight.models.clip.text import TextTower
from wordsight.models.clip4str.config import Clip4StrConfig
from wordsight.models.clip4str.loss import Losses, clip4str_losses
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.registry import register
from wordsight.text import CharTokenizer


@register("clip4str")
class Clip4Str(nn.Module):
    """The recognizer. Its parts can be called one by one; `loss` is the training objective."""

    architecture: ClassVar[str]
    decoding = "psm"

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> "Clip4Str":
        """The model that a checkpoint's configuration describes."""
        return cls(Clip4StrConfig.from_dict(values))

    def __init__(self, cfg: Clip4StrConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tokenizer = CharTokenizer(cfg.charset)
        self.image_tower = ImageTower(cfg.image, cfg.embed_dim)
        self.visual_decoder = self._decoder()
        self.text_tower = TextTower(cfg.text, cfg.embed_dim)
        self.cross_decoder = self._decoder()
        self.ctc_head = nn.Linear(cfg.embed_dim, self.tokenizer.num_classes) if cfg.ctc_weight else None

    def _decoder(self) -> Decoder:
        return Decoder(
            self.cfg.decoder,
            self.cfg.embed_dim,
            self.tokenizer.vocab_size,
            self.tokenizer.num_classes,
            self.cfg.max_length,
        )

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D)."""
        memory: Tensor = self.image_tower(images)
        return memory

    def captions(self, logits: Tensor) -> Tensor:
        """Text tokens of a prediction: [B], the characters up to the first [E], [E], [P]...

        Args:
            logits: (..., T, C + 1).

        Returns:
            (..., T + 1) token ids.
        """
        ids = logits.argmax(-1)
        ended = (ids == self.tokenizer.eos).cumsum(-1)
        ids = ids.masked_fill(ended > 0, self.tokenizer.pad)
        out = torch.cat([torch.full_like(ids[..., :1], self.tokenizer.bos), ids], dim=-1)
        # [E] stands after the last character; a prediction that never ends loses its last character to it
        end = (out != self.tokenizer.pad).sum(-1, keepdim=True).clamp(max=out.shape[-1] - 1)
        return out.scatter(-1, end, self.tokenizer.eos)

    def encode_captions(self, captions: Tensor) -> tuple[Tensor, Tensor]:
        """Text features of captions (N, S), each distinct caption encoded once.

        Returns:
            features (N, S, D) and the additive mask (N, S) that hides their padding.
        """
        distinct, inverse = captions.unique(dim=0, return_inverse=True)
        features = self.text_tower(distinct)[inverse]
        hidden = torch.zeros(captions.shape, dtype=features.dtype, device=features.device)
        return features, hidden.masked_fill(captions == self.tokenizer.pad, float("-inf"))

    def loss(self, images: Tensor, targets: Tensor, generator: torch.Generator, cross: bool = True) -> Losses:
        """Training objective of both branches under permuted sequence modelling (spec 1.5, 1.6).

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
            generator: draws the orders, on the CPU.
            cross: whether the cross-modal branch takes part. It gives no gradient to the image tower or the visual
                decoder, so the visual branch trains the same with and without it.
        """
        return clip4str_losses(self, images, targets, generator, cross)

    def param_groups(self, lr: float, decoder_lr_scale: float, weight_decay: float) -> list[dict[str, object]]:
        """AdamW groups (spec 3.1): towers and decoders, each with and without weight decay.

        No decay for tensors of one dimension and for embeddings by position and character of the decoders.
        """
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                continue
            tower = name.startswith(("image_tower.", "text_tower."))
            decay = parameter.ndim >= 2 and not name.endswith(("decoder.positions", "decoder.embedding.weight"))
            groups.setdefault((tower, decay), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": lr * (1.0 if tower else decoder_lr_scale),
                "weight_decay": weight_decay if decay else 0.0,
            }
            for (tower, decay), parameters in groups.items()
        ]
