"""Deeper and shallower image towers that begin with what a trained one knows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import insert
from wordsight.models.config import ImageTowerConfig


def deepened(model: Clip4Str, layers: int) -> Clip4Str:
    """A copy of `model` (plain, no adapters) with a deeper image tower, in eval mode; `model` is left alone.

    What new blocks add to their input is 0 until they are trained, so the copy reads as the original does (Net2Net,
    arXiv 1511.05641).

    Args:
        model: a trained recognizer.
        layers: transformer blocks of the new tower; new ones stand between the old ones, as evenly as can be.

    Raises:
        ConfigError: the tower has as many layers or more.
    """
    image = model.cfg.image
    if layers <= image.layers:
        raise ConfigError(
            f"the image tower has {image.layers} layers, and {layers} is not more: choose a larger number"
        )
    blocks = [i * layers // image.layers for i in range(image.layers)]
    places = {f"blocks.{i}": f"blocks.{place}" for i, place in enumerate(blocks)}
    out = _rebuilt(model, replace(image, layers=layers), places)
    new = set(range(layers)) - set(blocks)
    silent = tuple(f"blocks.{i}.{last}." for i in new for last in ("attention.out", "mlp.3"))
    with torch.no_grad():
        for name, parameter in out.image_tower.named_parameters():
            if name.startswith(silent):
                parameter.zero_()
    return out


def pruned(model: Clip4Str, parts: Sequence[str]) -> Clip4Str:
    """A copy of `model` (plain, no adapters) whose image tower lacks `parts`, in eval mode; `model` is left alone.

    A part that adds to its input can be left out: the next one is given that input itself. How much is lost until the
    others are trained further differs from part to part, so try each.

    Args:
        model: a trained recognizer.
        parts: transformer blocks ("blocks.1") and convolutions of the stem that keep the shape ("stem.4"), counted
            from 0.

    Raises:
        ConfigError: there is no such part, or it cannot be left out.
    """
    image = model.cfg.image
    names = [*(f"stem.{i}" for i in range(len(image.stem))), *(f"blocks.{i}" for i in range(image.layers))]
    before = (3, *(channels for channels, _, _ in image.stem))
    fixed = {f"stem.{i}" for i, stage in enumerate(image.stem) if tuple(stage) != (before[i], 1, 1)}
    free = [name for name in names if name not in fixed]
    if unknown := [part for part in parts if part not in free]:
        raise ConfigError(f"{', '.join(unknown)}: this image tower can only leave out {', '.join(free)}")
    stages, blocks = ([n for n in names if n.startswith(kind) and n not in parts] for kind in ("stem.", "blocks."))
    if not blocks:
        raise ConfigError("an image tower needs at least one block: keep one")
    places: dict[str, str | None] = dict.fromkeys(parts)
    places |= {name: f"stem.{i}" for i, name in enumerate(stages)}
    places |= {name: f"blocks.{i}" for i, name in enumerate(blocks)}
    stem = tuple(stage for i, stage in enumerate(image.stem) if f"stem.{i}" in stages)
    return _rebuilt(model, replace(image, layers=len(blocks), stem=stem), places)


def _rebuilt(model: Clip4Str, image: ImageTowerConfig, places: Mapping[str, str | None]) -> Clip4Str:
    """`model` with an image tower of other parts: `places` says where each of the old ones goes, None: nowhere."""
    out = Clip4Str(replace(model.cfg, image=image))
    if model.clipter is not None:
        insert(out, model.clipter)
    state = out.state_dict()
    moved = {f"image_tower.{old}.": new and f"image_tower.{new}." for old, new in places.items()}
    for name, tensor in model.state_dict().items():
        old = next((prefix for prefix in moved if name.startswith(prefix)), "")
        new = moved.get(old, "")
        if new is not None:
            state[new + name.removeprefix(old)] = tensor
    out.load_state_dict(state)
    return out.eval()
