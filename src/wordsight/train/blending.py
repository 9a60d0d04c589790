"""Between a model and its fine-tuned self: most of what was gained, half of what was forgotten (arXiv 2109.01903)."""

import torch

from wordsight.models.charset import character_tables
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft import LoraLinear
from wordsight.models.ppocr import Svtr


def blend(tuned: Clip4Str | Svtr, start: Clip4Str | Svtr, share: float, new: str = "") -> None:
    """Moves the weights of `tuned` back towards those of `start`, in place: `share` 1 leaves them, 0 is the start.

    `tuned` may have LoRA, whose updates are scaled by `share`. The rows of the characters in `new` stay as they were
    trained: the start knows nothing of them.
    """
    before = start.state_dict()
    tables = set.union(*character_tables(tuned))
    rows = tuned.tokenizer.ids(new)
    with torch.no_grad():
        for module in tuned.modules():
            if isinstance(module, LoraLinear):
                module.up.weight *= share
        for name, parameter in tuned.named_parameters():
            if not parameter.requires_grad or name not in before:
                continue
            mixed = before[name].to(parameter.device).lerp(parameter, share)
            if name in tables:
                mixed[rows] = parameter[rows]
            parameter.copy_(mixed)
