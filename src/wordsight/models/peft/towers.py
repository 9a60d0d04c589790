"""Putting new weights into a recognizer's towers, and merging them where that is possible."""

from typing import Any

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4StrConfig
from wordsight.models.peft.adapter import AdaptedTower, ClipAdapter
from wordsight.models.peft.config import PeftConfig
from wordsight.models.peft.ladder import Ladder, LadderTower
from wordsight.models.peft.lora import add_lora, merge_lora


def add_peft(model: Any, cfg: PeftConfig) -> None:
    """Freezes the towers that `cfg` names and adds its weights to `model`, in place; `model.peft` is `cfg` then.

    The adapted tower replaces the image tower in training, decoding and export. The new weights learn at
    the towers' rate.

    Raises:
        ConfigError: `model` has such weights already, or its decoder reads image tokens that are not projected.
    """
    if getattr(model, "peft", None) is not None:
        raise ConfigError("this model already has adapters: start from a plain one, or merge them first")
    projected = not isinstance(model.cfg, Clip4StrConfig) or model.cfg.share_dim
    if cfg.kind not in ("frozen", "lora") and not projected:
        raise ConfigError(f"{cfg.kind!r} changes projected image tokens: it needs a model with share_dim")
    for name in cfg.towers:
        tower = getattr(model, f"{name}_tower").requires_grad_(False)
        if cfg.kind == "lora":
            add_lora(tower, cfg.rank, cfg.alpha)
    if cfg.kind == "adapter":
        adapter = ClipAdapter(model.cfg.embed_dim).to(next(model.parameters()).device)
        model.image_tower = AdaptedTower(model.image_tower, adapter)
    elif cfg.kind in ("ladder", "ladder-released"):
        ladder = Ladder(model.image_tower, cfg.reduction, cfg.blocks, downsampled=cfg.kind == "ladder")
        model.image_tower = LadderTower(model.image_tower, ladder)
    model.peft = cfg


def merge_peft(model: Any) -> None:
    """Makes `model` plain again, in place, without changing what it computes: LoRA merges, a frozen tower thaws.

    Raises:
        ConfigError: it has an adapter or a ladder, which no plain tower can express.
    """
    peft: PeftConfig | None = getattr(model, "peft", None)
    if peft is None:
        return
    if peft.kind not in ("lora", "frozen"):
        raise ConfigError(
            f"this model has adapters ({peft.kind!r}), which cannot be merged: start from its base instead"
        )
    merge_lora(model)
    model.requires_grad_(True)
    model.peft = None
