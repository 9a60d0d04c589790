"""Drafts: a sample before it is rasterized, as masks, a surface and the parameters of what happens to them.

All randomness is in drafts, which are made on the CPU; `rasterize` turns many of them into pictures at once, on any
device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Pixels = NDArray[np.uint8]
Pair = tuple[float, float]
Rgb = tuple[float, float, float]


@dataclass
class Parameters:
    """The numbers of one sample, in the order of the columns of `Drafts.parameters`. Colours and tones are 0 to 1."""

    # Sensor and crop, pixels. The crop is as large as the sensor, or larger than the model's input and so than that.
    rows: float = 32
    columns: float = 128
    high: float = 32
    wide: float = 128
    # From the sensor to the plane: a homography; then the word's ends lie `bend` plane pixels lower than its middle,
    # along a parabola, or it is set on a circle of radius `ring`, negative: on its lower half (0: straight).
    inverse: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    bend: float = 0
    ring: float = 0
    # The word's centre in the plane, half its width there, and the factors by which the plane is reduced (across, down)
    # before, against aliasing.
    middle: Pair = (0, 0)
    half: float = 1
    shrink: tuple[int, int] = (1, 1)
    # The letters' paint; `turn` is how it changes across and down the crop to the second colour (no gradient: both 0).
    color: Rgb = (0, 0, 0)
    opacity: float = 1
    second_color: Rgb = (0, 0, 0)
    turn: Pair = (0, 0)
    # Least difference between letters and surroundings; 0 if there are no letters.
    contrast: float = 0
    # A shadow's edge: direction, position in the crop, sharpness, and its darkness (1: none).
    shade_direction: Pair = (0, 0)
    shade_at: float = 0
    shade_sharp: float = 0
    shade_dark: float = 1
    # A highlight: centre and inverse radii in crops, strength.
    glare_at: Pair = (0, 0)
    glare_inverse: Pair = (1, 1)
    glare: float = 0
    # Something in front: from, to and half its thickness in crop pixels (0: nothing), colour.
    bar_from: Pair = (0, 0)
    bar_to: Pair = (0, 0)
    bar: float = 0
    bar_color: Rgb = (0, 0, 0)
    # Lens and software: deviation of the blur in crop pixels, half the motion, amount and reach of sharpening.
    sigma: float = 0
    motion: float = 0
    motion_angle: float = 0
    sharpen: float = 0
    sharpen_reach: float = 1
    # Tone: base + slope v + curve v^2 in each channel.
    base: Rgb = (0, 0, 0)
    slope: Rgb = (1, 1, 1)
    curve: Rgb = (0, 0, 0)
    # Noise before and after the blur, share of colour in it, where in the bank it starts (0 to 1).
    noise_before: float = 0
    noise_after: float = 0
    chroma: float = 0
    noise_from: float = 0
    # JPEG quality, 0: none.
    quality: float = 0

    def flat(self) -> list[float]:
        """All numbers in one row."""
        return [x for value in vars(self).values() for x in (value if isinstance(value, tuple) else (value,))]


def _columns() -> dict[str, slice]:
    columns, end = {}, 0
    for name, value in vars(Parameters()).items():
        start, end = end, end + (len(value) if isinstance(value, tuple) else 1)
        columns[name] = slice(start, end)
    return columns


COLUMNS = _columns()
"""Columns of `Drafts.parameters`, by the name of the parameter."""


@dataclass(frozen=True)
class Layer:
    """What lies below the letters: an outline, a shadow, the sides of thick letters; a mask like the letters'."""

    mask: Pixels
    color: Rgb
    opacity: float = 1.0


@dataclass(frozen=True)
class Draft:
    """One sample before it is rasterized.

    Attributes:
        letters: mask of the plane (h, w), reduced; None without text.
        surface: (rows, columns, 3) the background, as large as the sensor.
        parameters: everything else.
        below: at most two layers, the lowest first.
        fill: (rows, columns, 3) paint of the letters; None: of one colour or two.
    """

    letters: Pixels | None
    surface: Pixels
    parameters: Parameters
    below: Sequence[Layer] = ()
    fill: Pixels | None = None


@dataclass(frozen=True)
class Stack:
    """Masks or pictures for some of the rows of a batch: which rows, pixels, colour and opacity."""

    rows: Tensor  # (n,) int64
    pixels: Tensor  # (n, ...) uint8
    paint: Tensor  # (n, 4) float32: red, green, blue, opacity


@dataclass(frozen=True)
class Drafts:
    """A batch of drafts, ready to go to a device.

    Attributes:
        parameters: (B, number of columns) float32, see `COLUMNS`.
        letters: (B, 1, h, w) uint8.
        surfaces: (B, 3, H, W) uint8, H x W the canvas, each surface continued to the right and below.
        below: at most two `Stack`s of masks like `letters`, the lowest first.
        fills: pictures like `surfaces`.
        having: rows with an effect that not all have, by its name.
    """

    parameters: Tensor
    letters: Tensor
    surfaces: Tensor
    below: tuple[Stack, ...]
    fills: Stack
    having: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.parameters)

    def of(self, name: str) -> Tensor:
        """A parameter of all rows, (B, 1, 1, 1), or (B, 2, 1, 1) of points and (B, 3, 1, 1) of colours."""
        return self.parameters[:, COLUMNS[name], None, None]

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Drafts":
        def stack(one: Stack) -> Stack:
            return Stack(change(one.rows), change(one.pixels), change(one.paint))

        return replace(
            self,
            parameters=change(self.parameters),
            letters=change(self.letters),
            surfaces=change(self.surfaces),
            below=tuple(stack(one) for one in self.below),
            fills=stack(self.fills),
            having={name: change(rows) for name, rows in self.having.items()},
        )

    def to(self, device: torch.device | str, non_blocking: bool = True) -> "Drafts":
        """On another device."""
        return self._map(lambda x: x.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Drafts":
        """In page-locked memory, for fast copies to a GPU."""
        return self._map(Tensor.pin_memory)


def unit(color: Sequence[float]) -> Rgb:
    """A colour of 0 to 255 as 0 to 1."""
    red, green, blue = color
    return red / 255, green / 255, blue / 255


def reduced(mask: Pixels, factors: tuple[int, int]) -> Pixels:
    """A mask made smaller by whole factors (across, down)."""
    return mask if factors == (1, 1) else np.asarray(Image.fromarray(mask).reduce(factors))


def plane(draft: Draft) -> tuple[int, int]:
    """Rows and columns of the largest of a draft's masks."""
    masks = [draft.letters, *(layer.mask for layer in draft.below)]
    shapes = [mask.shape for mask in masks if mask is not None] or [(1, 1)]
    return max(h for h, _ in shapes), max(w for _, w in shapes)


def collate(drafts: Sequence[Draft], canvas: tuple[int, int], least: tuple[int, int] = (1, 1)) -> Drafts:
    """A batch of drafts whose sensors have at most `canvas` (rows, columns), padded to masks of at least `least`.

    If all masks fit into this size, pictures are the same to the last bit in every batch.
    """
    parameters = np.array([draft.parameters.flat() for draft in drafts], dtype=np.float32)
    shapes = [least, *map(plane, drafts)]
    shape = max(h for h, _ in shapes), max(w for _, w in shapes)
    letters = _masks([draft.letters for draft in drafts], shape)
    below = []
    for depth in range(max((len(draft.below) for draft in drafts), default=0)):
        rows = [b for b, draft in enumerate(drafts) if depth < len(draft.below)]
        layers = [drafts[b].below[depth] for b in rows]
        paint = [(*layer.color, layer.opacity) for layer in layers]
        below.append(Stack(torch.tensor(rows), _masks([layer.mask for layer in layers], shape), torch.tensor(paint)))
    filled = [b for b, draft in enumerate(drafts) if draft.fill is not None]
    fills = _pictures([draft.fill for draft in drafts if draft.fill is not None], canvas)
    changed = parameters != np.array(Parameters().flat(), dtype=np.float32)
    having = {
        name: torch.from_numpy(np.flatnonzero(np.any([changed[:, COLUMNS[n]].any(1) for n in names], axis=0)))
        for name, names in _EFFECTS.items()
    }
    return Drafts(
        torch.from_numpy(parameters),
        letters,
        _pictures([draft.surface for draft in drafts], canvas),
        tuple(below),
        Stack(torch.tensor(filled, dtype=torch.int64), fills, torch.zeros(len(filled), 4)),
        having,
    )


# The parameters of effects that happen only if one of these differs from its default.
_EFFECTS = {
    "ring": ("ring",), "gradient": ("turn",), "shade": ("shade_dark",), "glare": ("glare",), "bar": ("bar",),
    "noise_before": ("noise_before",), "lens": ("sigma", "motion", "sharpen"), "noise_after": ("noise_after",),
    "jpeg": ("quality",),
}  # fmt: skip


def _masks(masks: Sequence[Pixels | None], shape: tuple[int, int]) -> Tensor:
    out = np.zeros((len(masks), 1, *shape), dtype=np.uint8)
    for place, mask in zip(out, masks, strict=True):
        if mask is not None:
            place[0, : mask.shape[0], : mask.shape[1]] = mask
    return torch.from_numpy(out)


def _pictures(pictures: Sequence[Pixels], canvas: tuple[int, int]) -> Tensor:
    """Pictures (rows, columns, 3) as (n, 3, *canvas), continued to the right and below."""
    out = np.empty((len(pictures), 3, *canvas), dtype=np.uint8)
    for place, picture in zip(out, pictures, strict=True):
        rows, columns = picture.shape[:2]
        place[:, :rows, :columns] = picture.transpose(2, 0, 1)
        place[:, :rows, columns:] = place[:, :rows, columns - 1 : columns]
        place[:, rows:] = place[:, rows - 1 : rows]
    return torch.from_numpy(out)
