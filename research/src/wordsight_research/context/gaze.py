"""Where in the scene a word looks: how MH-CA's attention is spread over the scene's tokens."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wordsight.imaging import prepare
from wordsight.models.clipter.model import CrossAttention
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.reading import TorchRecognizer
from wordsight_research.context.damage import Damage
from wordsight_research.context.data import Words
from wordsight_research.context.views import Told

MOST = 300
"""Words that are looked at."""


def gaze(model: Any, words: Words, damage: Damage, told: Told, encoder: SceneEncoder) -> dict[str, float]:
    """Means over words, their positions and heads; empty without MH-CA over a grid.

    "[CLS]": share of the attention on [CLS]. "own box": of the rest, the share on tokens that overlap the word's own
    box; "box": the share of the tokens that do: what an attention without preference would give. "entropy": of the
    attention over all tokens, 1 if even.
    """
    mixers = [f.mixer for f in getattr(model, "fusions", {}).values() if isinstance(f.mixer, CrossAttention)]
    if not mixers or encoder.kernel is None:
        return {}
    rows = list(range(min(len(words), MOST)))
    crops = [damage(words.crops[i], np.random.default_rng((11, i))) for i in rows]
    caught: list[Tensor] = []

    def catch(mixer: Any, inputs: tuple[Tensor, ...]) -> None:
        query, _, scene, index = inputs
        q, k = mixer.q(query), mixer.k(scene)[index]
        q, k = (x.unflatten(-1, (mixer.heads, -1)).transpose(1, 2) for x in (q, k))
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)  # (B, heads, L, M), scene tokens alone
        caught.append(weights.mean((1, 2)).detach())

    handle = mixers[0].register_forward_pre_hook(catch)
    try:
        with torch.no_grad():
            TorchRecognizer(model).read(prepare(crops, model.cfg.preprocessing), told.rows(rows))
    finally:
        handle.remove()
    attention = next((a for a in caught if len(a) == len(rows)), None)  # a later pass may have fewer rows
    if attention is None:
        return {}
    first = int(encoder.keep_cls and encoder.encoder.has_cls)
    grid, (high, wide) = attention[:, first:], (-(-side // encoder.kernel) for side in encoder.encoder.grid)
    inside = _overlap(torch.from_numpy(words.boxes[rows]), high, wide)
    even = torch.log(torch.tensor(float(attention.shape[1])))
    entropy = -(attention * attention.clamp(min=1e-9).log()).sum(1) / even
    out = {
        "[CLS]": attention[:, :first].sum(1),
        "own box": (grid * inside).sum(1) / grid.sum(1).clamp(min=1e-9),
        "box": inside.mean(1),
        "entropy": entropy,
    }
    return {name: round(float(values.mean()), 4) for name, values in out.items()}


def _overlap(boxes: Tensor, high: int, wide: int) -> Tensor:
    """(B, high * wide), 1 where a cell of the grid overlaps a box (centre x, y, width, height as shares)."""
    x, y, width, height = boxes.T
    columns, rows = torch.arange(wide), torch.arange(high)
    across = _hits(x, width, columns, wide)  # (B, wide)
    down = _hits(y, height, rows, high)
    return (down[:, :, None] * across[:, None]).flatten(1)


def _hits(centre: Tensor, size: Tensor, cells: Tensor, count: int) -> Tensor:
    low, high = (centre - size / 2)[:, None] * count, (centre + size / 2)[:, None] * count
    return ((cells + 1 > low) & (cells < high)).float()
