"""A word before it is photographed: masks, a surface, and the numbers that say what is to happen to them.

Everything about a sample that is random is drawn here, on the CPU; `rasterize` makes the picture, without any further
randomness, for many drafts at once and on any device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]


@dataclass
class Look:
    """Numbers of one sample, in the order of the columns of `Drafts.looks`. Colours and tones are 0 to 1."""

    # Sensor and crop, pixels.
    rows: float = 32
    columns: float = 128
    high: float = 32
    wide: float = 128
    # From the sensor to the plane, see `geometry.View`.
    m0: float = 1
    m1: float = 0
    m2: float = 0
    m3: float = 0
    m4: float = 1
    m5: float = 0
    m6: float = 0
    m7: float = 0
    m8: float = 1
    bend: float = 0
    ring: float = 0
    middle_x: float = 0
    middle_y: float = 0
    half: float = 1
    shrink_x: float = 1
    shrink_y: float = 1
    # The letters' paint; `turn_*` is how it changes across the crop to the second colour (no gradient: both 0).
    red: float = 0
    green: float = 0
    blue: float = 0
    opacity: float = 1
    second_red: float = 0
    second_green: float = 0
    second_blue: float = 0
    turn_x: float = 0
    turn_y: float = 0
    # Least difference between letters and surroundings; 0 where there are no letters.
    contrast: float = 0
    # A shadow's border: its place across the crop, direction, sharpness, and how dark it is (1: none).
    shade_x: float = 0
    shade_y: float = 0
    shade_at: float = 0
    shade_sharp: float = 0
    shade_dark: float = 1
    # A highlight: centre and inverse radii in crops, strength.
    glare_x: float = 0
    glare_y: float = 0
    glare_wide: float = 1
    glare_high: float = 1
    glare: float = 0
    # Something in front: from, to and half its thickness in crop pixels (0: nothing), colour.
    bar_x0: float = 0
    bar_y0: float = 0
    bar_x1: float = 0
    bar_y1: float = 0
    bar: float = 0
    bar_red: float = 0
    bar_green: float = 0
    bar_blue: float = 0
    # Lens and software: deviation of the blur in crop pixels, half the way moved, amount and reach of sharpening.
    sigma: float = 0
    motion: float = 0
    motion_angle: float = 0
    sharpen: float = 0
    sharpen_reach: float = 1
    # Tone: base + slope v + curve v^2 in each channel.
    base_red: float = 0
    base_green: float = 0
    base_blue: float = 0
    slope_red: float = 1
    slope_green: float = 1
    slope_blue: float = 1
    curve_red: float = 0
    curve_green: float = 0
    curve_blue: float = 0
    # Noise before and after the blur, share of colour in it, where in the bank it starts (0 to 1).
    noise_before: float = 0
    noise_after: float = 0
    chroma: float = 0
    noise_from: float = 0
    # JPEG quality, 0: none.
    quality: float = 0


LOOK = {field.name: number for number, field in enumerate(fields(Look))}
"""Column of each number of a `Look`."""


@dataclass(frozen=True)
class Layer:
    """What lies below the letters: an outline, a shadow, the sides of thick letters. The mask is as the letters'."""

    mask: Pixels
    color: tuple[float, float, float]
    opacity: float = 1.0


@dataclass(frozen=True)
class Draft:
    """One sample before it is photographed.

    Attributes:
        letters: mask of the plane (h, w), shrunken; None without text.
        below: at most two layers, the lowest first.
        surface: (rows, columns, 3) what is behind, as large as the sensor.
        fill: (rows, columns, 3) paint of the letters; None: of one colour or two.
        look: everything else.
    """

    letters: Pixels | None
    surface: Pixels
    look: Look
    below: Sequence[Layer] = ()
    fill: Pixels | None = None


@dataclass(frozen=True)
class Stack:
    """The same kind of thing for some of the rows of a batch: which rows, masks or pictures, colour and opacity."""

    rows: Tensor  # (n,) int64
    pixels: Tensor  # (n, ...) uint8
    paint: Tensor  # (n, 4) float32: red, green, blue, opacity


@dataclass(frozen=True)
class Drafts:
    """A batch of drafts, ready to go to a device.

    Attributes:
        looks: (B, len(LOOK)) float32.
        letters: (B, 1, h, w) uint8.
        surfaces: (B, 3, H, W) uint8, H x W the canvas, each surface continued to the right and below.
        below: at most two `Stack`s of masks as `letters`, the lowest first.
        fills: pictures as `surfaces`.
        having: rows in which something happens that does not happen in all, by its name.
    """

    looks: Tensor
    letters: Tensor
    surfaces: Tensor
    below: tuple[Stack, ...]
    fills: Stack
    having: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.looks)

    def of(self, name: str) -> Tensor:
        """One number of all looks, (B, 1, 1, 1)."""
        return self.looks[:, LOOK[name], None, None, None]

    def color(self, *names: str) -> Tensor:
        """Three numbers of all looks, (B, 3, 1, 1)."""
        return self.looks[:, [LOOK[name] for name in names], None, None]

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Drafts":
        def stack(one: Stack) -> Stack:
            return Stack(change(one.rows), change(one.pixels), change(one.paint))

        return replace(
            self,
            looks=change(self.looks),
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
        """For quick copies to a GPU."""
        return self._map(Tensor.pin_memory)


def plane(draft: Draft) -> tuple[int, int]:
    """Rows and columns of the largest of a draft's masks."""
    masks = [draft.letters, *(layer.mask for layer in draft.below)]
    shapes = [mask.shape for mask in masks if mask is not None] or [(1, 1)]
    return max(h for h, _ in shapes), max(w for _, w in shapes)


def collate(drafts: Sequence[Draft], canvas: tuple[int, int], least: tuple[int, int] = (1, 1)) -> Drafts:
    """A batch of drafts whose sensors have at most `canvas` (rows, columns), its masks at least `least` large.

    Where all masks have this size, pictures are the same to the last bit in every batch.
    """
    looks = np.array([tuple(vars(draft.look).values()) for draft in drafts], dtype=np.float32)
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
    having = {
        name: torch.from_numpy(np.flatnonzero(np.any(looks[:, [LOOK[n] for n in names]] != neutral, axis=1)))
        for name, (names, neutral) in _OPTIONAL.items()
    }
    return Drafts(
        torch.from_numpy(looks),
        letters,
        _pictures([draft.surface for draft in drafts], canvas),
        tuple(below),
        Stack(torch.tensor(filled, dtype=torch.int64), fills, torch.zeros(len(filled), 4)),
        having,
    )


_OPTIONAL = {
    "ring": (("ring",), 0),
    "gradient": (("turn_x", "turn_y"), 0),
    "shade": (("shade_dark",), 1),
    "glare": (("glare",), 0),
    "bar": (("bar",), 0),
    "noise_before": (("noise_before",), 0),
    "lens": (("sigma", "motion", "sharpen"), 0),
    "noise_after": (("noise_after",), 0),
    "jpeg": (("quality",), 0),
}


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
