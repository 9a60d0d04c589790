"""Choosing among several readings of a crop by CLIP: which of them fits the picture best (CLIP4STR's released code)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wordsight.decoding import Floats
from wordsight.models.clip.model import Clip
from wordsight.text import CharTokenizer


def sample_readings(logits: Floats, tokenizer: CharTokenizer, count: int, rng: np.random.Generator) -> dict[str, float]:
    """The likeliest reading of final logits (P, C + 1), and those of `count` draws, with their log-probabilities.

    After a refinement positions are independent of each other given the context, so each is drawn on its own.
    """
    log = logits.astype(np.float64)
    log -= log.max(axis=1, keepdims=True)
    log -= np.log(np.exp(log).sum(axis=1, keepdims=True))
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
