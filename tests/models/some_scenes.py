"""Fusions of every kind, and the scenes that tests tell recognizers of."""

import torch
from torch import nn

from wordsight.models.clipter import SceneContext
from wordsight.models.clipter.model import Gate

WIDTH = 20  # of scene tokens
FUSIONS = {
    "gated": {"kernel": 2},
    "gated, one token": {"kernel": None},
    "gated, additive": {"kernel": 2, "gate_form": "additive"},
    "gated, clamped, box": {"kernel": 2, "clamp": True, "box": True},
    "mini": {"kernel": 2, "fusion": "mh-ca-mini"},
    "mini, box": {"kernel": 2, "fusion": "mh-ca-mini", "box": True},
    "mini, word and scene": {"kernel": None, "fusion": "mh-ca-mini", "keys": "word+scene"},
    "base": {"kernel": 2, "fusion": "mh-ca-base"},
    "base, word and scene": {"kernel": 2, "fusion": "mh-ca-base", "keys": "word+scene"},
}


def scenes(kind="gated", present=(1, 1, 1, 1)):
    """Three scenes for four words; the first and the last share one."""
    generator = torch.Generator().manual_seed(3)
    count = 1 if FUSIONS[kind]["kernel"] is None else 5
    tokens = torch.randn(3, count, WIDTH, generator=generator)
    boxes = torch.rand(4, 4, generator=generator)
    return SceneContext(tokens, torch.tensor([2, 0, 1, 2]), torch.tensor(present, dtype=torch.float32), boxes)


def open_gates(model, alpha):
    for part in model.modules():
        if isinstance(part, Gate):
            nn.init.constant_(part.alpha, alpha)
