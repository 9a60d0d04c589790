"""A recognizer whose readings CLIP has the last word on (CLIP4STR's released code: `--clip_refine`)."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.decoding import Char, Floats, Mode, Reading, decode_psm
from wordsight.decoding.context import InContext, Scenes
from wordsight.decoding.readings import reading
from wordsight.errors import ConfigError
from wordsight.models.clip.model import Clip
from wordsight.models.clip.rerank import rerank, sample_readings
from wordsight.models.clipter.context import SceneContext
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.reading import TorchRecognizer, tensors

SAMPLES = 16
"""Draws for each crop; ours."""


class RerankingRecognizer(TorchRecognizer):
    """Draws readings from the final probabilities of every crop, and takes the one that likelihood and CLIP favour.

    Draws are the same for the same crop, whatever else is in its batch.

    Args:
        model: A recognizer that decodes by `psm`.
        clip: The towers to ask, as they were pre-trained.
        mode: See `TorchRecognizer`, as for the rest.

    Raises:
        ConfigError: the recognizer decodes in another way.
    """

    def __init__(
        self, model: Any, clip: Clip, mode: Mode = "full", *, cross: bool = True, scenes: SceneEncoder | None = None
    ) -> None:
        if model.decoding != "psm":
            raise ConfigError(f"re-ranking is for PARSeq and CLIP4STR, this model decodes by {model.decoding!r}")
        super().__init__(model, mode, cross=cross, scenes=scenes)
        self.clip = clip

    def read(self, images: Floats, context: SceneContext | Scenes | None = None) -> list[Reading]:
        """See `TorchRecognizer`."""
        if isinstance(context, Scenes):
            context = tensors(context)
        graphs = self._graphs if context is None else InContext(self._graphs, context)
        iters = 1 if self.refine_iters is None else self.refine_iters
        # All positions, where there are such: a draw may be longer than the likeliest reading
        found = decode_psm(graphs, images, self._spec, mode=self.mode, refine_iters=iters, whole=iters > 0).logits
        return [self._choose(logits, image) for logits, image in zip(found, self._as_clip_sees(images), strict=True)]

    def _choose(self, logits: Floats, image: Tensor) -> Reading:
        likeliest = reading(logits, self._spec.tokenizer)
        drawn = sample_readings(logits, self._spec.tokenizer, SAMPLES, np.random.default_rng(0))
        if len(drawn) == 1:
            return likeliest
        text, _ = rerank(self.clip, image, drawn)[0]
        if text == likeliest.text:
            return likeliest
        chars = tuple(Char(char, _probability(logits[i], self._spec, char)) for i, char in enumerate(text))
        return replace(likeliest, text=text, confidence=float(np.exp(drawn[text])), chars=chars)

    def _as_clip_sees(self, images: Floats) -> Tensor:
        """Prepared crops (B, 3, H, W) in the size and normalisation of the towers."""
        own, wanted = self.preprocessing, self.clip.cfg.preprocessing
        device = self.clip.logit_scale.device
        mean, std, wanted_mean, wanted_std = (
            torch.tensor(values, device=device)[:, None, None]
            for values in (own.mean, own.std, wanted.mean, wanted.std)
        )
        size = wanted.size
        pixels = torch.from_numpy(images).to(device) * std + mean
        if pixels.shape[2:] != size:
            pixels = F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 1)
        out: Tensor = (pixels - wanted_mean) / wanted_std
        return out


def _probability(logits: Floats, spec: Any, char: str) -> float:
    scaled = np.exp(logits.astype(np.float64) - logits.max())
    return float(scaled[1 + spec.tokenizer.charset.characters.index(char)] / scaled.sum())
