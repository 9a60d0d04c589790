"""A recognizer whose readings CLIP has the last word on (CLIP4STR's released code: `--clip_refine`)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.decoding import PSM, Char, Floats, Mode, PsmGraphs, Reading, decode_psm
from wordsight.decoding.context import AnyContext
from wordsight.decoding.logits_constraint import log_softmax
from wordsight.decoding.readings import probabilities, reading
from wordsight.errors import ConfigError
from wordsight.models.clip.model import Clip
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.reading import TorchRecognizer
from wordsight.models.recognizer import Recognizer
from wordsight.text import CharTokenizer

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
        self,
        model: Recognizer,
        clip: Clip,
        mode: Mode = "full",
        *,
        cross: bool = True,
        scenes: SceneEncoder | None = None,
    ) -> None:
        if model.kind is not PSM:
            raise ConfigError(f"re-ranking is for PARSeq and CLIP4STR, this model decodes by {model.kind.name!r}")
        super().__init__(model, mode, cross=cross, scenes=scenes)
        self.clip = clip

    def read(self, images: Floats, scenes: AnyContext = None) -> list[Reading]:
        """See `TorchRecognizer`."""
        graphs = PsmGraphs(self.engine, scenes)
        # All positions: a draw may be longer than the likeliest reading
        found = decode_psm(graphs, images, self._spec, mode=self.settings.mode, whole=True).logits
        return [self._choose(logits, image) for logits, image in zip(found, self._as_clip_sees(images), strict=True)]

    def _choose(self, logits: Floats, image: Tensor) -> Reading:
        likeliest = reading(logits, self.model.tokenizer)
        drawn = sample_readings(logits, self.model.tokenizer, SAMPLES, np.random.default_rng(0))
        if len(drawn) == 1:
            return likeliest
        text, _ = rerank(self.clip, image, drawn)[0]
        if text == likeliest.text:
            return likeliest
        shares = probabilities(logits, 1.0)[np.arange(len(text)), self.model.tokenizer.ids(text)]
        chars = tuple(map(Char, text, shares.tolist()))
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
        return (pixels - wanted_mean) / wanted_std


def sample_readings(logits: Floats, tokenizer: CharTokenizer, count: int, rng: np.random.Generator) -> dict[str, float]:
    """The likeliest reading of final logits (P, C + 1), and those of `count` draws, with their log-probabilities.

    After a refinement positions are independent of each other given the context, so each is drawn on its own.
    """
    log = log_softmax(logits)
    drawn = (log + rng.gumbel(size=(count, *log.shape))).argmax(axis=2)  # samples of the softmax
    found: dict[str, float] = {}
    for ids in (log.argmax(axis=1), *drawn):
        ended = np.flatnonzero(ids == tokenizer.eos)
        steps = int(ended[0]) + 1 if len(ended) else len(ids)
        found[tokenizer.decode(ids.tolist())] = float(log[np.arange(steps), ids[:steps]].sum())
    return found


@torch.inference_mode()
def rerank(clip: Clip, image: Tensor, readings: dict[str, float], weight: float = 1.0) -> Sequence[tuple[str, float]]:
    """Readings with their scores, best first: log-probability and `weight` times CLIP's log-softmax over the readings.

    Args:
        clip: Both towers, as they were pre-trained.
        image: (3, H, W), prepared for them.
        readings: Log-probabilities, from `sample_readings`.
        weight: 0 leaves the order as it is.
    """
    texts = list(readings)
    fits = clip(image[None], clip.tokens(texts).to(image.device))[0].log_softmax(0).tolist()
    scores = [readings[text] + weight * fit for text, fit in zip(texts, fits, strict=True)]
    return sorted(zip(texts, scores, strict=True), key=lambda pair: -pair[1])
