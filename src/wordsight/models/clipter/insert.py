"""Inserting fusions into a recognizer."""

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
        points = [point for point in widths if point.startswith(cfg.place) and point != BLOCK]
    if not points:
        raise ConfigError(f"this recognizer has no {cfg.place} place: choose another")
    device = next(recognizer.parameters()).device
    for point in points:
        fusion = Fusion(widths[point], cfg, stepwise=cfg.place == "late").to(device)
        recognizer.fusions[point] = fusion.train(recognizer.training)
    recognizer.clipter = cfg
