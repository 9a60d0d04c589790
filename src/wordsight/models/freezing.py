"""Which parts of CLIP's towers stay as they were pre-trained (CLIP4STR, the section on freezing).

Nothing else is needed to run a frozen part without gradient: where neither its parameters nor its input want one,
PyTorch keeps nothing for a backward pass.
"""

from collections.abc import Iterable

from torch import nn

from wordsight.models.clip.hub_text import HubTextTower
from wordsight.models.clip.image import Tower
from wordsight.models.clip.text import TextTower
from wordsight.models.clip4str.model import Clip4Str


def freeze(model: Clip4Str, text_layers: int | None = None, image_layers: int | None = None) -> None:
    """Freezes the first layers of the towers, as released, but for any number of layers.

    Args:
        model: whose parameters are frozen, in place.
        text_layers: blocks of the text tower, and with them its embeddings by token and position; its final norm and
            projection stay trainable. All its blocks or more: the whole tower, but for what is new beside a text
            encoder of the hub. None: nothing.
        image_layers: blocks of the image tower, and with them its class and position embeddings; its patch convolution,
            norms and projection stay trainable, which is why gradients still pass through frozen blocks. All its blocks
            or more: the whole tower, which then runs without gradient. None: nothing.
    """
    for tower, layers in ((model.text_tower, text_layers), (model.image_tower, image_layers)):
        for parameter in () if layers is None else _below(tower, layers):
            parameter.requires_grad_(False)


def _below(tower: Tower | TextTower | HubTextTower, layers: int) -> Iterable[nn.Parameter]:
    """The embeddings of a tower (but for the patches) and its first blocks; all of it if it has no more."""
    if isinstance(tower, HubTextTower):
        return tower.below(layers)
    if layers >= tower.cfg.layers:
        return tower.parameters()
    first = ("token_embedding.", "positional_embedding", "class_embedding", *(f"blocks.{i}." for i in range(layers)))
    return (parameter for name, parameter in tower.named_parameters() if name.startswith(first))


def trainable(model: nn.Module) -> int:
    """How many parameters train."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
