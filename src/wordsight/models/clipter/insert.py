"""Inserting fusions into a recognizer, and their groups in the optimiser."""

from typing import Any

from torch import nn

from wordsight.errors import ConfigError
from wordsight.models.clipter.config import ClipterConfig
from wordsight.models.clipter.context import BLOCK, Contextual
from wordsight.models.clipter.fusion import Fusion


def insert(recognizer: Contextual, cfg: ClipterConfig) -> None:
    """Inserts a fusion at every insertion point of `recognizer` that `cfg` selects, and sets `recognizer.clipter`.

    The gates are closed: until they are trained, the recognizer's output is bit for bit what it was.

    Raises:
        ConfigError: it has fusions already, or there is no such block or insertion point.
    """
    if recognizer.clipter is not None:
        raise ConfigError("this recognizer already takes scenes: start from one without CLIPTER")
    widths = recognizer.widths
    if cfg.early_block is not None:
        blocks = len(getattr(getattr(recognizer, "image_tower", None), "blocks", ())) if BLOCK in widths else 0
        if cfg.early_block >= blocks:
            raise ConfigError(
                f"early_block {cfg.early_block}: this recognizer's image tower has {blocks} to choose from"
            )
        points = [BLOCK]
    else:
        points = [point for point in recognizer.insertion_points if point.startswith(cfg.place)]
    if not points:
        raise ConfigError(f"this recognizer has no {cfg.place} place: choose another")
    device = next(recognizer.parameters()).device
    for point in points:
        fusion = Fusion(widths[point], cfg, stepwise=cfg.place == "late").to(device)
        recognizer.fusions[point] = fusion.train(recognizer.training)
    recognizer.clipter = cfg


def fusion_groups(recognizer: Contextual, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Optimiser groups of a recognizer's fusions; none without fusions.

    Matrices, with weight decay; norms, biases and queries, without; gates, without and at `gate_lr_scale` times the
    rate. The gates' group has the key "gate".
    """
    if recognizer.clipter is None:
        return []
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    gates: list[nn.Parameter] = []
    for name, parameter in recognizer.fusions.named_parameters():
        if parameter.requires_grad:
            gate = name.endswith("gate.alpha")
            (gates if gate else matrices if parameter.ndim >= 2 else vectors).append(parameter)
    gate_lr = lr * recognizer.clipter.gate_lr_scale
    groups: list[dict[str, Any]] = [
        {"params": matrices, "lr": lr, "weight_decay": weight_decay},
        {"params": vectors, "lr": lr, "weight_decay": 0.0},
        {"params": gates, "lr": gate_lr, "weight_decay": 0.0, "gate": True},
    ]
    return [group for group in groups if group["params"]]
