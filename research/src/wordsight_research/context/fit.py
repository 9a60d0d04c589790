"""Training and reading of words that are all in memory, with or without their scenes."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from wordsight.data.labels import trained_label
from wordsight.errors import ModelError
from wordsight.imaging import prepare
from wordsight.models.clipter import SceneContext
from wordsight.models.reading import TorchRecognizer
from wordsight.train.schedules import one_cycle
from wordsight_research.context.damage import Damage, Pixels
from wordsight_research.context.data import Words
from wordsight_research.context.views import Told

_TRACED = 10
"""Steps from one entry of a gate's trace to the next."""


@dataclass(frozen=True)
class Fit:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps.
        batch_size: words per step.
        lr: peak learning rate, one cycle.
        seed: decides the order of the words, their damage, dropout and permutations.
        damage: what is done to crops.
        scene_dropout: share of words that lose their scene.
        weight_decay: AdamW's.
        mixed: compute in bfloat16 where that is enough, as PyTorch's autocast does.
    """

    steps: int
    batch_size: int
    lr: float
    seed: int
    damage: Damage
    scene_dropout: float = 0.0
    weight_decay: float = 0.05
    mixed: bool = False


@dataclass(frozen=True)
class Trained:
    """What a training left behind: the last losses' mean, seconds, and each gate's value every ten steps."""

    loss: float
    seconds: float
    gates: dict[str, list[float]] = field(default_factory=dict)


def fit(
    model: Any, crops: Sequence[Pixels], labels: Sequence[str], plan: Fit, told: Told | None = None, options: Any = None
) -> Trained:
    """Trains `model` in place, given the scenes of the crops where `told` is; leaves it in eval mode.

    `options`, by name, are handed on to its loss.

    Raises:
        ModelError: the loss is not finite any more.
    """
    cfg = model.cfg
    texts = [trained_label(label, cfg.charset) for label in labels]
    groups = model.param_groups(plan.lr, 1.0, plan.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=plan.lr, betas=(0.9, 0.98), eps=1e-6)
    peaks = [group["lr"] for group in optimizer.param_groups]
    orders = torch.Generator().manual_seed(plan.seed)
    torch.manual_seed(plan.seed)
    dice = np.random.default_rng((plan.seed, 7))
    queue: list[int] = []
    losses: list[float] = []
    gates: dict[str, list[float]] = {name: [] for name in getattr(model, "fusions", {})}
    model.train()
    began = time.perf_counter()
    for step in range(plan.steps):
        while len(queue) < plan.batch_size:
            queue += dice.permutation(len(crops)).tolist()
        rows, queue = queue[: plan.batch_size], queue[plan.batch_size :]
        images = torch.from_numpy(prepare([plan.damage(crops[i], dice) for i in rows], cfg.preprocessing))
        targets = torch.from_numpy(cfg.tokenizer.encode([texts[i] for i in rows]))
        absent = torch.from_numpy(dice.random(len(rows)) < plan.scene_dropout)
        context = told.rows(rows, absent) if told is not None else None
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * one_cycle(step, plan.steps)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.mixed):
            loss = model.loss(images, targets, orders, context=context, **(options or {})).total
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 20.0)  # spec of CLIP4STR, 3.1
        optimizer.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise ModelError(f"the loss is {losses[-1]} after {step + 1} steps: lower the learning rate")
        if step % _TRACED == 0 or step == plan.steps - 1:
            for name, trace in gates.items():
                trace.append(round(float(model.fusions[name].gate.value.detach()), 5))
    model.eval()
    last = losses[-max(1, plan.steps // 20) :]
    return Trained(round(sum(last) / max(1, len(last)), 4), round(time.perf_counter() - began, 1), gates)


def read(model: Any, words: Words, damage: Damage, told: Told | None = None, batch_size: int = 64) -> list[str]:
    """What `model` reads. The damage of word i depends on i alone, so that all models read the same pixels."""
    recognizer = TorchRecognizer(model)
    texts: list[str] = []
    for start in range(0, len(words), batch_size):
        rows = range(start, min(start + batch_size, len(words)))
        crops = [damage(words.crops[i], np.random.default_rng((11, i))) for i in rows]
        context: SceneContext | None = told.rows(list(rows)) if told is not None else None
        images = prepare(crops, model.cfg.preprocessing)
        texts += [reading.text for reading in recognizer.read(images, context)]
    return texts
