"""New weights in a recognizer's towers, and how they are added and merged.

CLIP-Adapter (arXiv 2110.04544) stands behind the projected tokens of a frozen image tower, as CLIP4STR compares it.
LoRA (arXiv 2106.09685) adds a product of two thin matrices to a frozen linear layer, and merges into it. The ladder has
a file of its own.
"""

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.clip.image import ImageTower, Tower
from wordsight.models.clip4str.config import Clip4StrConfig
from wordsight.models.clipter.model import Conditioning
from wordsight.models.config import PeftConfig
from wordsight.models.peft.ladder import Ladder, LadderTower
from wordsight.models.recognizer import Recognizer

SHARE = 0.2  # of CLIP-Adapter: lambda of CLIP4STR's comparison


class ClipAdapter(nn.Module):
    """`SHARE * ReLU(up(ReLU(down(x)))) + (1 - SHARE) * x`, half as wide inside, no biases: (..., D) to (..., D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(
            nn.Linear(width, width // 2, bias=False), nn.ReLU(), nn.Linear(width // 2, width, bias=False), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """The adapted tokens."""
        return SHARE * self.bottleneck(x) + (1 - SHARE) * x


class AdaptedTower(Tower):
    """An image tower with an adapter behind its projection, in the tower's place.

    A frozen tower is run without gradient by PyTorch itself: none of its weights nor its input asks for one.
    """

    def __init__(self, tower: ImageTower, adapter: nn.Module) -> None:
        super().__init__(tower.cfg)
        self.tower = tower
        self.adapter = adapter

    def tokens(self, images: Tensor, inside: tuple[int, Conditioning] | None = None) -> Tensor:
        """The tower's own tokens (B, L, width)."""
        return self.tower.tokens(images, inside)

    def project(self, tokens: Tensor) -> Tensor:
        """Projected and adapted (B, L, D)."""
        return self.adapter(self.tower.project(tokens))


class LoraLinear(nn.Module):
    """`base(x) + alpha / rank * up(down(x))`: (..., in) to (..., out). At the start the update is zero."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        place = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False, **place)
        self.up = nn.Linear(rank, base.out_features, bias=False, **place)
        nn.init.zeros_(self.up.weight)
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """The layer with its update."""
        return self.base(x) + self.up(self.down(x)) * self.scale

    def merged(self) -> nn.Linear:
        """The base layer, its weight changed by the update: one linear layer that gives the same."""
        with torch.no_grad():
            self.base.weight += self.scale * self.up.weight @ self.down.weight
        return self.base.requires_grad_(True)


def add_lora(tower: nn.Module, rank: int, alpha: float) -> None:
    """Gives every linear layer inside the blocks of `tower` (q, k, v, out, both of the MLP) a trained update."""
    for parent in list(tower.blocks.modules()):  # type: ignore[union-attr]
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, LoraLinear(child, rank, alpha))


def merge_lora(module: nn.Module) -> None:
    """Turns every `LoraLinear` in `module` into the plain layer it amounts to, in place."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoraLinear):
                setattr(parent, name, child.merged())


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
