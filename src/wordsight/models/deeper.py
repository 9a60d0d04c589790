"""A deeper image tower that begins by doing what a shallower one does (Net2Net, arXiv 1511.05641)."""

from dataclasses import replace

import torch

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import insert


def deepened(model: Clip4Str, layers: int) -> Clip4Str:
    """A copy of `model` (plain, no adapters) with `layers` in its image tower, in eval mode; `model` is left alone.

    New blocks stand between the old ones, as evenly as can be. What they add is 0 until they are trained, so the copy
    reads as the original does.

    Raises:
        ConfigError: the tower has as many layers or more.
    """
    old = model.cfg.image.layers
    if layers <= old:
        raise ConfigError(f"the image tower has {old} layers, and {layers} are not more: choose a larger number")
    out = Clip4Str(replace(model.cfg, image=replace(model.cfg.image, layers=layers)))
    if model.clipter is not None:
        insert(out, model.clipter)
    places = [i * layers // old for i in range(old)]
    blocks = {f"image_tower.blocks.{i}.": f"image_tower.blocks.{place}." for i, place in enumerate(places)}
    state = out.state_dict()
    for name, tensor in model.state_dict().items():
        before = next((prefix for prefix in blocks if name.startswith(prefix)), "")
        state[blocks.get(before, "") + name.removeprefix(before)] = tensor
    new = set(range(layers)) - set(places)
    silent = tuple(f"image_tower.blocks.{i}.{last}." for i in new for last in ("attention.out", "mlp.3"))
    out.load_state_dict({k: torch.zeros_like(v) if k.startswith(silent) else v for k, v in state.items()})
    return out.eval()
