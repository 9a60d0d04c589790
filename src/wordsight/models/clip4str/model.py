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

from wordsight.models.clip.hub_text import HubTextTower
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip.text import TextTower, end_of_text
from wordsight.models.clip4str.config import Clip4StrConfig
from wordsight.models.clip4str.loss import clip4str_losses
from wordsight.models.clipter import fusion_groups
from wordsight.models.clipter.context import BLOCK, Contextual, SceneContext
from wordsight.models.losses import Losses
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.registry import register


@register("clip4str")
class Clip4Str(Contextual):
    """The recognizer. Its parts can be called one by one; `loss` is the training objective.

    Scenes (ours; CLIPTER's paper has no CLIP4STR): early is once, before both branches, and learns from the visual loss
    only, since the cross-modal branch sends no gradient into the memory; late is one fusion for each decoder's output.
    """

    architecture: ClassVar[str]
    decoding = "psm"
    places = ("early", "late.visual", "late.cross")

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> "Clip4Str":
        """The model that a checkpoint's configuration describes."""
        return cls(Clip4StrConfig.from_dict(values))

    def __init__(self, cfg: Clip4StrConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tokenizer = cfg.tokenizer
        self.caption_tokenizer = cfg.caption_tokenizer
        self.image_tower = ImageTower(cfg.image, cfg.embed_dim)
        self.visual_decoder = self._decoder(cfg.visual_dim)
        self.text_tower = HubTextTower(cfg.hub, cfg.embed_dim) if cfg.hub else TextTower(cfg.text, cfg.embed_dim)
        self.cross_decoder = self._decoder(cfg.embed_dim)
        self.ctc_head = nn.Linear(cfg.embed_dim, self.tokenizer.num_classes) if cfg.ctc_weight else None

    def _decoder(self, width: int) -> Decoder:
        ids = self.tokenizer
        return Decoder(self.cfg.decoder, width, ids.vocab_size, ids.num_classes, self.cfg.max_length)

    def checkpointing(self, on: bool = True) -> None:
        """Whether both towers compute their blocks twice while training, to keep less in memory."""
        self.image_tower.checkpointing = self.text_tower.checkpointing = on

    @property
    def widths(self) -> dict[str, int]:
        """See `Contextual`."""
        cfg = self.cfg
        early = {"early": cfg.visual_dim, BLOCK: cfg.image.width}
        return early | {"late.visual": cfg.visual_dim, "late.cross": cfg.embed_dim}

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to memory (B, L, D)."""
        inside = self.inside(context)
        given = (images,) if inside is None else (images, inside)
        memory: Tensor = self.image_tower(*given) if self.cfg.share_dim else self.image_tower.tokens(*given)
        return self.fuse("early", memory[:, :1] if self.cfg.pooled else memory, context)

    def cross_memory(self, memory: Tensor) -> Tensor:
        """The image's part (B, L, D) of the cross-modal decoder's memory."""
        return memory if self.cfg.share_dim else self.image_tower.project(memory)

    def captions(self, logits: Tensor) -> Tensor:
        """Text tokens of a prediction, its characters up to the first [E], as the text tower reads them.

        Args:
            logits: (..., T, C + 1).

        Returns:
            (..., S) token ids; where captions are characters S = T + 1: [B], characters, [E], [P]...
        """
        ids = logits.argmax(-1)
        if self.cfg.captions != "characters":
            return self._written_captions(ids)
        ended = (ids == self.tokenizer.eos).cumsum(-1)
        ids = ids.masked_fill(ended > 0, self.tokenizer.pad)
        out = torch.cat([torch.full_like(ids[..., :1], self.tokenizer.bos), ids], dim=-1)
        # [E] stands after the last character; a prediction that never ends loses its last character to it
        end = (out != self.tokenizer.pad).sum(-1, keepdim=True).clamp(max=out.shape[-1] - 1)
        return out.scatter(-1, end, self.tokenizer.eos)

    def _written_captions(self, ids: Tensor) -> Tensor:
        """By way of strings; one copy to the processor and back."""
        readings = [self.tokenizer.decode(row) for row in ids.flatten(0, -2).tolist()]
        distinct = {text: i for i, text in enumerate(dict.fromkeys(readings))}
        tokens, _ = self.caption_tokenizer.encode(list(distinct))
        rows = torch.from_numpy(tokens[[distinct[text] for text in readings]])
        return rows.to(ids.device).unflatten(0, ids.shape[:-1])

    def text_features(self, tokens: Tensor) -> Tensor:
        """Caption tokens (N, S) to features (N, S, D); (N, 1, D) if pooled."""
        features: Tensor = self.text_tower(tokens)
        return end_of_text(features, tokens)[:, None] if self.cfg.pooled else features

    def encode_captions(self, captions: Tensor) -> tuple[Tensor, Tensor | None]:
        """Text features of captions (N, S), each distinct caption encoded once.

        Returns:
            features (N, S, D), or (N, 1, D) if pooled, and the additive mask (N, S) that hides their padding; None
            where padding is seen.
        """
        distinct, inverse = captions.unique(dim=0, return_inverse=True)
        features = self.text_features(distinct)[inverse]
        pad = self.caption_tokenizer.pad
        if pad is None:
            return features, None
        hidden = torch.zeros(captions.shape, dtype=features.dtype, device=features.device)
        return features, hidden.masked_fill(captions == pad, float("-inf"))

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        cross: bool = True,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """Training objective of both branches under permuted sequence modelling (spec 1.5, 1.6).

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
            generator: draws the orders, on the CPU.
            cross: whether the cross-modal branch takes part. It gives no gradient to the image tower or the visual
                decoder, so the visual branch trains the same with and without it.
            context: the scenes of the images.
            characters: where the batch is one of several parts of an optimiser step, how many characters their labels
                have on average: the mean of the parts' losses is then the loss of the whole step.
        """
        return clip4str_losses(self, images, targets, generator, cross=cross, context=context, characters=characters)

    def param_groups(self, lr: float, decoder_lr_scale: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW groups (spec 3.1): towers and decoders, each with and without weight decay; then those of fusions.

        No decay for tensors of one dimension and for embeddings by position and character of the decoders. Fusions are
        new, as decoders are, and learn at their rate (`fusion_groups` says how), as does what leads from a text encoder
        of the hub to them.
        """
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad or name.startswith("fusions."):
                continue
            tower = name.startswith(("image_tower.", "text_tower.")) and not name.startswith("text_tower.bridge.")
            decay = parameter.ndim >= 2 and not name.endswith(("decoder.positions", "decoder.embedding.weight"))
            groups.setdefault((tower, decay), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": lr * (1.0 if tower else decoder_lr_scale),
                "weight_decay": weight_decay if decay else 0.0,
            }
            for (tower, decay), parameters in groups.items()
        ] + fusion_groups(self, lr * decoder_lr_scale, weight_decay)
