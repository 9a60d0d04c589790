"""From drafts to pictures, a batch at once on any device: view, paint, light, lens, sensor, JPEG. Plain PyTorch.

Nothing is random here, and no row depends on another: a sample is the same in every batch, but for rounding on
different devices. Nothing waits for the device: the drafts know which rows have which effect.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.synth.draft import Drafts
from wordsight.synth.optics import enlarge, jpeg, lens, noise

WIDTH_STEP = 4
"""Sensor widths are multiples of this, so that the resampling matrices stay in the caches of a CPU."""


@contextmanager
def _one_thread() -> Iterator[None]:
    """On a CPU in one thread.

    The pictures are too small to divide; and where other programs want the processors, threads that wait for each other
    at every operation take forty times as long (15 words one by one beside other work: 73 and 80 s, in one thread 2 s).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def rasterize(drafts: Drafts) -> Tensor:
    """What the sensors recorded: (B, 3, H, W) float32, whole numbers from 0 to 255, H x W the canvas.

    Row b shows its word in the first `rows` x `columns` pixels; the others continue the picture.
    """
    with torch.inference_mode(), _one_thread():
        picture = drafts.surfaces.to(torch.float32).div_(255)
        x, y = _pixels(drafts)
        grid = _grid(drafts, x, y)
        picture, letters = _painted(drafts, picture, grid, x, y)
        _lit(drafts, picture, x, y)
        _add_noise(drafts, picture, "noise_before")
        picture, letters = _focused(drafts, picture, letters)
        picture = _toned(drafts, picture)
        picture = _ensure_contrast(drafts, picture, letters, x, y).clamp_(0, 1)
        _add_noise(drafts, picture, "noise_after")
        rows = drafts.having["jpeg"]
        if len(rows):
            picture[rows] = jpeg(picture[rows].clamp_(0, 1), drafts.of("quality")[rows].flatten())
        return picture.clamp_(0, 1).mul_(255).round_()


def images(drafts: Drafts, size: tuple[int, int]) -> Tensor:
    """Finished training crops, (B, 3, *size) float32, whole numbers from 0 to 255."""
    with torch.inference_mode(), _one_thread():
        rows, columns = (drafts.of(name).flatten().long() for name in ("rows", "columns"))
        return enlarge(rasterize(drafts) / 255, rows, columns, size, WIDTH_STEP).mul_(255).round_()


def _pixels(drafts: Drafts) -> tuple[Tensor, Tensor]:
    """Pixel centres of the sensor, (B, 1, 1, W) and (B, 1, H, 1); those beyond it are clamped to its border."""
    height, width = drafts.surfaces.shape[2:]
    x = torch.arange(width, device=drafts.parameters.device, dtype=torch.float32)[None, None, None] + 0.5
    y = torch.arange(height, device=drafts.parameters.device, dtype=torch.float32)[None, None, :, None] + 0.5
    return torch.minimum(x, drafts.of("columns") - 0.5), torch.minimum(y, drafts.of("rows") - 0.5)


def _grid(drafts: Drafts, x: Tensor, y: Tensor) -> Tensor:
    """Positions of the pixels in the reduced plane, in the form of `grid_sample`: (B, H, W, 2)."""
    m = drafts.of("inverse").split(1, 1)
    # Homogeneous coordinates are sums of one term per column and one per row: no product for every pixel.
    depth = (m[6] * x) + (m[7] * y + m[8])
    u = ((m[0] * x) + (m[1] * y + m[2])).div_(depth)
    v = ((m[3] * x) + (m[4] * y + m[5])).div_(depth)
    middle_x, middle_y = drafts.of("middle").split(1, 1)
    v.addcmul_((u - middle_x).square_(), drafts.of("bend") / drafts.of("half").square(), value=-1)
    rows = drafts.having["ring"]
    if len(rows):
        radius = drafts.of("ring")[rows]
        sign, middle = radius.sign(), (middle_x[rows], middle_y[rows])
        right, up = u[rows] - middle[0], sign * (middle[1] + radius - v[rows])
        u[rows] = middle[0] + radius.abs() * torch.atan2(right, up)
        v[rows] = middle[1] + radius - sign * torch.hypot(right, up)
    height, width = drafts.letters.shape[2:]
    shrink_x, shrink_y = drafts.of("shrink").split(1, 1)
    u.mul_(2 / (width * shrink_x)).sub_(1)
    v.mul_(2 / (height * shrink_y)).sub_(1)
    return torch.stack((u[:, 0], v[:, 0]), -1)


def _seen(masks: Tensor, grid: Tensor) -> Tensor:
    """Masks (n, 1, h, w) uint8 sampled at the sensor's pixels, 0 to 1."""
    return F.grid_sample(masks.to(torch.float32), grid, align_corners=False).div_(255)


def _painted(drafts: Drafts, picture: Tensor, grid: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The surfaces with the letters and what lies below them, and the mask of the letters (B, 1, H, W)."""
    for layer in drafts.below:
        mask = _seen(layer.pixels, grid[layer.rows]) * layer.paint[:, 3, None, None, None]
        picture[layer.rows] = torch.lerp(picture[layer.rows], layer.paint[:, :3, None, None], mask)
    letters = _seen(drafts.letters, grid)
    color = drafts.of("color")
    painted = torch.lerp(picture, color.expand_as(picture), letters * drafts.of("opacity"))
    rows = drafts.having["gradient"]
    if len(rows):
        turn_x, turn_y = drafts.of("turn")[rows].split(1, 1)
        right = (x[rows] / drafts.of("columns")[rows] - 0.5) * turn_x
        down = (y[rows] / drafts.of("rows")[rows] - 0.5) * turn_y
        share = (0.5 + right + down).clamp_(0, 1)  # (n, 1, H, W)
        mixed = torch.lerp(color[rows], drafts.of("second_color")[rows], share)
        painted[rows] = torch.lerp(picture[rows], mixed, letters[rows] * drafts.of("opacity")[rows])
    if len(rows := drafts.fills.rows):
        fill = drafts.fills.pixels.to(torch.float32).div_(255)
        painted[rows] = torch.lerp(picture[rows], fill, letters[rows] * drafts.of("opacity")[rows])
    return painted, letters


def _lit(drafts: Drafts, picture: Tensor, x: Tensor, y: Tensor) -> None:
    """Shadows that fall onto the crop, highlights, and things in front of it, in place."""

    def number(name: str) -> Tensor:
        return drafts.of(name)[rows]

    def pair(name: str) -> tuple[Tensor, Tensor]:
        point = number(name)
        return point[:, :1], point[:, 1:]

    across, down = x / drafts.of("columns") - 0.5, y / drafts.of("rows") - 0.5
    if len(rows := drafts.having["shade"]):
        to_x, to_y = pair("shade_direction")
        side = across[rows] * to_x + down[rows] * to_y - number("shade_at")
        lit = torch.sigmoid(side * number("shade_sharp"))
        picture[rows] *= torch.lerp(number("shade_dark"), torch.ones_like(lit), lit)
    if len(rows := drafts.having["glare"]):
        (at_x, at_y), (wide, high) = pair("glare_at"), pair("glare_inverse")
        away = ((across[rows] - at_x) * wide).square()
        away = away + ((down[rows] - at_y) * high).square()
        bright = torch.exp(-away) * number("glare")
        picture[rows] = picture[rows] + (1 - picture[rows]) * bright
    if len(rows := drafts.having["bar"]):
        # In pixels of the crop, whose scale is the same across and down.
        (x0, y0), (x1, y1) = pair("bar_from"), pair("bar_to")
        px = x[rows] * (number("wide") / number("columns")) - x0
        py = y[rows] * (number("high") / number("rows")) - y0
        dx, dy = x1 - x0, y1 - y0
        along = ((px * dx + py * dy) / (dx.square() + dy.square() + 1e-6)).clamp_(0, 1)
        away = torch.hypot(px - along * dx, py - along * dy)
        cover = (number("bar") - away + 0.5).clamp_(0, 1)
        picture[rows] = torch.lerp(picture[rows], number("bar_color"), cover)


def _add_noise(drafts: Drafts, picture: Tensor, kind: str) -> None:
    if len(rows := drafts.having[kind]):
        start = drafts.of("noise_from")[rows].flatten()
        picture[rows] += noise(picture[rows], start, drafts.of("chroma")[rows]) * drafts.of(kind)[rows]


def _focused(drafts: Drafts, picture: Tensor, letters: Tensor) -> tuple[Tensor, Tensor]:
    """Picture and mask of the letters through the lens."""
    if len(rows := drafts.having["lens"]):

        def number(name: str) -> Tensor:
            return drafts.of(name)[rows, 0, 0]  # (n, 1)

        scale = torch.cat((number("columns") / number("wide"), number("rows") / number("high")), 1)
        angle = number("motion_angle")
        way = torch.cat((angle.cos(), angle.sin()), 1) * number("motion")
        both = torch.cat((picture[rows], letters[rows]), 1)
        both = lens(both, number("sigma") * scale, way * scale, number("sharpen")[:, 0], number("sharpen_reach")[:, 0])
        picture[rows], letters[rows] = both[:, :3], both[:, 3:].clamp_(0, 1)
    return picture, letters


def _toned(drafts: Drafts, picture: Tensor) -> Tensor:
    """Exposure, contrast, gamma, colour of the light."""
    base, slope, curve = (drafts.of(name) for name in ("base", "slope", "curve"))
    return torch.addcmul(base, torch.addcmul(slope, picture, curve), picture)


def _ensure_contrast(drafts: Drafts, picture: Tensor, letters: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Changes the colour of letters that can hardly be distinguished from their surroundings, until they can.

    The means inside and outside must differ by `contrast` in at least one channel, and by 0.75 of the smaller standard
    deviation; below that (and 11 of 255 grey levels), people could no longer read the words on our contact sheets.
    """
    b, _, h, w = picture.shape
    inside = torch.arange(w, device=x.device)[None, None, None] < drafts.of("columns")
    inside = (inside & (torch.arange(h, device=x.device)[None, None, :, None] < drafts.of("rows"))).to(picture.dtype)
    weights = torch.cat((inside, letters * inside), 1).view(b, 2, h * w)
    weights = weights / weights[:, :1].sum(2, keepdim=True)
    values = picture.view(b, 3, h * w)
    sums, squares = (v @ weights.transpose(1, 2) for v in (values, values.square()))  # (B, 3, 2)
    share = weights[:, 1].sum(1)[:, None]  # (B, 1)
    safe = share.clamp(0.005, 0.995)
    mean_in, mean_out = sums[..., 1] / safe, (sums[..., 0] - sums[..., 1]) / (1 - safe)
    vary_in = squares[..., 1] / safe - mean_in.square()
    vary_out = (squares[..., 0] - squares[..., 1]) / (1 - safe) - mean_out.square()
    spread = torch.minimum(vary_in, vary_out).clamp_min(0).sqrt()
    contrast = drafts.of("contrast")[:, 0, 0]
    wanted = torch.maximum(contrast, 0.75 * spread)  # (B, 3)
    short = (wanted - (mean_in - mean_out).abs()).amin(1, keepdim=True)  # in the channel with most contrast
    sign = torch.where((mean_in - mean_out).mean(1, keepdim=True) < 0, -1.0, 1.0)
    ground = mean_out.mean(1, keepdim=True)
    most = wanted.amax(1, keepdim=True)
    sign = torch.where((ground + sign * most - 0.5).abs() > 0.55, -sign, sign)
    move = mean_out + sign * wanted * 1.1 - mean_in
    needed = (short > 0) & (contrast > 0) & (share > 0.005) & (share < 0.98)
    return torch.addcmul(picture, letters, (move * needed)[:, :, None, None])
