"""Which parts of CLIP's towers stay as they were pre-trained (CLIP4STR, the section on freezing).

Nothing else is needed to run a frozen part without gradient: where neither its parameters nor its input want one,
PyTorch keeps nothing for a backward pass.
"""

from collections.abc import Iterable

from torch import nn

from wordsight.models.clip.hub_text import HubTextTower
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
    text, image = model.text_tower, model.image_tower
    if text_layers is not None:
        if isinstance(text, HubTextTower):
            _freeze(text.below(text_layers))
        else:
            _freeze(text.parameters() if text_layers >= text.cfg.layers else _below(text, text_layers))
    if image_layers is not None:
        _freeze(image.parameters() if image_layers >= image.cfg.layers else _below(image, image_layers))


def _below(tower: nn.Module, layers: int) -> Iterable[nn.Parameter]:
    """The embeddings of a tower (but for the patches) and its first blocks."""
    blocks = tuple(f"blocks.{i}." for i in range(layers))
    embeddings = ("token_embedding.", "positional_embedding", "class_embedding")
    return (parameter for name, parameter in tower.named_parameters() if name.startswith((*embeddings, *blocks)))


def _freeze(parameters: Iterable[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.requires_grad_(False)


def trainable(model: nn.Module) -> int:
    """How many parameters train."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
