"""Putting new weights into a recognizer's towers, and merging them where that is possible."""

from wordsight.errors import ConfigError
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip4str.config import Clip4StrConfig
from wordsight.models.config import PeftConfig
from wordsight.models.peft.adapter import AdaptedTower, ClipAdapter
from wordsight.models.peft.ladder import Ladder, LadderTower
from wordsight.models.peft.lora import add_lora, merge_lora
from wordsight.models.recognizer import Recognizer


def add_peft(model: Recognizer, cfg: PeftConfig) -> None:
    """Freezes the towers that `cfg` names and adds its weights to `model`, in place; `model.peft` is `cfg` then.

    The adapted tower replaces the image tower in training, decoding and export. The new weights learn at
    the towers' rate.

    Raises:
        ConfigError: `model` has such weights already, no such tower, or a visual decoder whose image tokens are not
            projected.
    """
    if model.peft is not None:
        raise ConfigError("this model already has adapters: start from a plain one, or merge them first")
    for name in cfg.towers:
        tower = model.get_submodule(f"{name}_tower").requires_grad_(False)
        if cfg.kind == "lora":
            add_lora(tower, cfg.rank, cfg.alpha)
    if cfg.kind not in ("frozen", "lora"):
        tower = model.get_submodule("image_tower")
        if isinstance(model.cfg, Clip4StrConfig) and not model.cfg.share_dim:
            raise ConfigError(f"{cfg.kind!r} changes projected image tokens: it needs a model with share_dim")
        if not isinstance(tower, ImageTower) or tower.projection is None:
            raise ConfigError(f"{cfg.kind!r} changes projected image tokens: it is for PARSeq and CLIP4STR")
        if cfg.kind == "adapter":
            adapter = ClipAdapter(tower.projection.shape[1]).to(tower.projection.device)
            model.register_module("image_tower", AdaptedTower(tower, adapter))
        else:
            ladder = Ladder(tower, cfg.reduction, cfg.blocks, downsampled=cfg.kind == "ladder")
            model.register_module("image_tower", LadderTower(tower, ladder))
    model.peft = cfg


def merge_peft(model: Recognizer) -> None:
    """Makes `model` plain again, in place, without changing what it computes: LoRA merges, a frozen tower thaws.

    Raises:
        ConfigError: it has an adapter or a ladder, which no plain tower can express.
    """
    if model.peft is None:
        return
    if model.peft.kind not in ("lora", "frozen"):
        raise ConfigError(
            f"this model has adapters ({model.peft.kind!r}), which cannot be merged: start from its base instead"
        )
    merge_lora(model)
    model.requires_grad_(True)
    model.peft = None
