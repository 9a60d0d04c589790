"""Shapes of a compact image tower, and the operations that a training step of each takes."""

from dataclasses import dataclass, replace

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from wordsight.models.clip4str import Clip4Str, Clip4StrConfig

_WORD = 3  # characters of the words whose operations are counted; the plain ones have two to four
_CROPS = 4


@dataclass(frozen=True)
class Shape:
    """What differs from a preset's image tower.

    Attributes:
        stem: convolutions as (channels in sixths of the width, vertical stride, horizontal stride); () for patches.
        patch: of an image without a stem, in pixels, height and width.
        size: of the image, in pixels, height and width.
        width: as a share of the preset's.
        layers: as a share of the preset's.
    """

    stem: tuple[tuple[int, int, int], ...] = ()
    patch: tuple[int, int] = (16, 16)
    size: tuple[int, int] = (32, 128)
    width: float = 1.0
    layers: float = 1.0


_ONE_ROW = ((1, 2, 2), (2, 2, 2), (3, 2, 1), (6, 2, 1), (6, 2, 1))
"""To 1 x 32 tokens."""

SHAPES: dict[str, Shape] = {
    "stem, 1 x 32": Shape(_ONE_ROW),
    "wider, half as deep": Shape(_ONE_ROW, width=4 / 3, layers=1 / 2),
    "narrower, twice as deep": Shape(_ONE_ROW, width=2 / 3, layers=2.0),
    "stem, 2 x 32": Shape(_ONE_ROW[:4]),
    "stem, 4 x 16": Shape(((1, 2, 2), (3, 2, 2), (6, 2, 2))),
    "stem, 8 x 16": Shape(((1, 2, 2), (3, 2, 2), (6, 1, 2))),
    "stem, 1 x 48 of 48 x 192": Shape((*_ONE_ROW[:4], (6, 3, 1)), size=(48, 192)),
    "patches of 8 x 8, 4 x 16": Shape(patch=(8, 8)),
    "patches of 4 x 8, 8 x 16": Shape(patch=(4, 8)),
}
"""By what is compared: stem or patches, rows x columns of tokens, size of the image. 128 tokens from patches of 4 x 8
are PARSeq's (arXiv 2207.06966)."""


def shaped(cfg: Clip4StrConfig, shape: Shape) -> Clip4StrConfig:
    """`cfg` with an image tower of that shape, heads as wide as they were; decoders and text tower stay."""
    image = cfg.image
    head = image.width // image.heads
    heads = max(1, round(shape.width * image.heads))
    width = heads * head
    stem = tuple((max(1, round(sixths * width / 6)), down, across) for sixths, down, across in shape.stem)
    height, width_px = shape.size
    return replace(
        cfg,
        image=replace(
            image,
            height=height,
            width_px=width_px,
            patch=shape.patch,
            stem=stem,
            width=width,
            heads=heads,
            layers=max(1, round(shape.layers * image.layers)),
            class_token=False,
        ),
    )


def operations(model: Clip4Str) -> float:
    """Of a step of the visual branch per crop, forward and backward, on short words."""
    cfg = model.cfg
    images = torch.zeros(_CROPS, 3, cfg.image.height, cfg.image.width_px)
    targets = model.tokenizer.encode(["a" * _WORD] * _CROPS)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.loss(images, torch.as_tensor(targets), torch.Generator().manual_seed(0), cross=False).total.backward()
    model.zero_grad(set_to_none=True)
    return float(counter.get_total_flops()) / _CROPS
