"""A deeper image tower that begins by doing what a shallower one does (Net2Net, arXiv 1511.05641)."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import insert

Stage = tuple[int, int, int]


def deepened(model: Clip4Str, layers: int | None = None, stem: Sequence[Stage] | None = None) -> Clip4Str:
    """A copy of `model` (plain, no adapters) with a deeper image tower, in eval mode; `model` is left alone.

    What new parts add to their input is 0 until they are trained, so the copy reads as the original does.

    Args:
        model: a trained recognizer.
        layers: transformer blocks of the new tower; new ones stand between the old ones, as evenly as can be.
        stem: convolutions of the new tower, as in `ImageTowerConfig`: the old ones in their order, and between them or
            after them new ones that keep the shape.

    Raises:
        ConfigError: the tower has as many layers or more; `stem` is not the old one and such convolutions.
    """
    image = model.cfg.image
    layers = image.layers if layers is None else layers
    stem = image.stem if stem is None else tuple(stem)
    if layers < image.layers or (layers == image.layers and stem == image.stem):
        raise ConfigError(
            f"the image tower has {image.layers} layers, and {layers} are not more: choose a larger number"
        )
    out = Clip4Str(replace(model.cfg, image=replace(image, layers=layers, stem=stem)))
    if model.clipter is not None:
        insert(out, model.clipter)
    blocks = [i * layers // image.layers for i in range(image.layers)]
    stages = _places(image.stem, stem)
    moved = {f"image_tower.blocks.{i}.": f"image_tower.blocks.{place}." for i, place in enumerate(blocks)}
    moved |= {f"image_tower.stem.{i}.": f"image_tower.stem.{place}." for i, place in enumerate(stages)}
    blocks_added, stages_added = set(range(layers)) - set(blocks), set(range(len(stem))) - set(stages)
    silent = (
        *(f"image_tower.blocks.{i}.{last}." for i in blocks_added for last in ("attention.out", "mlp.3")),
        *(f"image_tower.stem.{i}." for i in stages_added),
    )
    state = {name: torch.zeros_like(v) if name.startswith(silent) else v for name, v in out.state_dict().items()}
    for name, tensor in model.state_dict().items():
        before = next((prefix for prefix in moved if name.startswith(prefix)), "")
        state[moved.get(before, "") + name.removeprefix(before)] = tensor
    out.load_state_dict(state)
    return out.eval()


def _places(old: Sequence[Stage], new: Sequence[Stage]) -> list[int]:
    """Which convolutions of the new stem are those of the old one. All others keep the shape of their input."""
    places: list[int] = []
    channels = 3
    for i, stage in enumerate(new):
        if len(places) < len(old) and tuple(stage) == tuple(old[len(places)]):
            places.append(i)
        elif tuple(stage) != (channels, 1, 1):
            break
        channels = stage[0]
    else:
        if len(places) == len(old):
            return places
    raise ConfigError(
        f"image_stem {list(map(list, new))} is not the stem {list(map(list, old))} with convolutions [channels, 1, 1] "
        "in between that keep the shape: give the old ones in their order, and the new ones"
    )
