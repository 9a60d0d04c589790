"""Lens, sensor and software, for a batch at once: blur and sharpening, noise, JPEG, resampling. Plain PyTorch.

Pictures are float32 (B, 3, H, W) with values from 0 to 1. No row's result depends on the other rows.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wordsight.synth.background import noise_bank

_REACH = 3  # pixels; blurs have a deviation of up to 1.6 px (`RenderConfig.blur_limit` times 32)
_STEPS = 7  # of a motion

# ITU-T T.81, tables K.1 and K.2, and the colour space of JFIF.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.299 / 1.772, -0.587 / 1.772, 0.5),
    (0.5, -0.587 / 1.402, -0.114 / 1.402),
)


def lens(picture: Tensor, sigma: Tensor, motion: Tensor, sharpen: Tensor, reach: Tensor) -> Tensor:
    """Applies defocus, motion blur and sharpening to every row with one 7 x 7 kernel.

    Args:
        picture: (B, C, H, W).
        sigma: (B, 2) standard deviation of the blur across and down, pixels.
        motion: (B, 2) half the motion of the picture across and down, pixels.
        sharpen: (B,) amount of unsharp masking.
        reach: (B,) standard deviation of its blur, pixels.
    """
    kernel = _spread(sigma, motion)
    broad = _spread((sigma.square() + reach[:, None].square()).sqrt(), motion)
    amount = sharpen[:, None, None]
    kernel = (1 + amount) * kernel - amount * broad  # (B, 7, 7)
    b, c, h, w = picture.shape
    padded = F.pad(picture, (_REACH, _REACH, _REACH, _REACH), mode="replicate").view(1, b * c, h + 6, w + 6)
    kernels = kernel[:, None].expand(b, c, 7, 7).reshape(b * c, 1, 7, 7)
    return F.conv2d(padded, kernels, groups=b * c).view(b, c, h, w)


def _spread(sigma: Tensor, motion: Tensor) -> Tensor:
    """The point spread function, (B, 7, 7), with sum 1."""
    where = torch.arange(-_REACH, _REACH + 1, device=sigma.device, dtype=sigma.dtype)
    steps = torch.linspace(-1, 1, _STEPS, device=sigma.device, dtype=sigma.dtype)
    # A deviation of at least a quarter pixel: exp(-8) for the neighbours is nothing.
    sharpness = -0.5 / sigma.clamp_min(0.25).square()
    offset = where[None, None, None] - steps[None, None, :, None] * motion[:, :, None, None]  # (B, 2, steps, 7)
    # At least exp(-40) in either direction: smaller products would be denormal, which takes a CPU twice as long.
    profile = torch.exp((offset.square() * sharpness[:, :, None, None]).clamp_min(-40))
    kernel = (profile[:, 1, :, :, None] * profile[:, 0, :, None, :]).sum(1)  # (B, 7, 7)
    return kernel / kernel.sum((1, 2), keepdim=True)


@lru_cache(maxsize=4)
def _noise(device: torch.device, length: int) -> Tensor:
    """All runs of `length` consecutive numbers of the noise bank, as rows (a view)."""
    return torch.from_numpy(noise_bank().ravel()).to(device).unfold(0, length, 1)


def noise(like: Tensor, start: Tensor, chroma: Tensor) -> Tensor:
    """Normal noise for pictures (B, 3, H, W), from position `start` (B,), 0 to 1, of the bank; `chroma` (B, 1, 1, 1) is
    the share of colour in it.
    """
    runs = _noise(like.device, like[0].numel())
    field = runs[(start * (len(runs) - 1)).long()].view_as(like)
    return torch.lerp(field[:, :1].expand_as(field), field, chroma)


@lru_cache(maxsize=4)
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    k = np.arange(8)
    cosines = np.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    ycc = np.array(_TO_YCC)
    made = cosines, np.array(_LUMA), np.array(_CHROMA), ycc, np.linalg.inv(ycc)
    cos, luma, chroma, to_ycc, to_rgb = (torch.tensor(x, dtype=torch.float32, device=device) for x in made)
    return cos, luma, chroma, to_ycc, to_rgb


def jpeg(picture: Tensor, quality: Tensor) -> Tensor:
    """JPEG compression, at qualities (B,) from 1 to 100, of pictures whose height and width are multiples of 16.

    Chroma has half the resolution. Not bit by bit like libjpeg, as intermediate sums are not rounded.
    """
    cosines, luma, chroma, to_ycc, to_rgb = _tables(picture.device)
    b, _, h, w = picture.shape
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None] / 100
    ycc = (to_ycc @ (picture * 255).view(b, 3, h * w)).view(b, 3, h, w)
    y = _quantised(ycc[:, :1] - 128, luma, scale, cosines) + 128
    small = F.avg_pool2d(ycc[:, 1:], 2)
    small = _quantised(small, chroma, scale, cosines)
    ycc = torch.cat((y, small.repeat_interleave(2, 2).repeat_interleave(2, 3)), 1)
    return ((to_rgb @ ycc.view(b, 3, h * w)).view(b, 3, h, w) / 255).clamp_(0, 1)


def _quantised(planes: Tensor, table: Tensor, scale: Tensor, cosines: Tensor) -> Tensor:
    """Planes (B, C, H, W) with their 8 x 8 DCT blocks quantised by the scaled table."""
    b, c, h, w = planes.shape
    steps = (table * scale + 0.5).floor().clamp(1, 255)  # (B, 8, 8)
    steps = steps[:, None, None, :, None, :]
    blocks = (planes.reshape(b, c, h, w // 8, 8) @ cosines.T).view(b, c, h // 8, 8, w)
    blocks = (cosines @ blocks).view(b, c, h // 8, 8, w // 8, 8)
    blocks = (blocks / steps).round_().mul_(steps).view(b, c, h // 8, 8, w)
    return (cosines.T @ blocks).view(b, c, h, w // 8, 8).matmul(cosines).view(b, c, h, w)


@lru_cache(maxsize=8)
def _resampling(most: int, wanted: int, step: int, device: torch.device) -> Tensor:
    """Matrices (most / step + 1, wanted, most): number n resamples n * step pixels to `wanted`, as Pillow's bicubic."""
    bank = np.zeros((most // step + 1, wanted, most), dtype=np.float32)
    for number in range(1, len(bank)):
        count = number * step
        ratio = count / wanted
        stretch = max(1.0, ratio)
        middle = (np.arange(wanted) + 0.5) * ratio
        away = np.abs((np.arange(count) + 0.5)[None] - middle[:, None]) / stretch
        near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        weights = np.where(away < 1, near, np.where(away < 2, far, 0))
        bank[number, :, :count] = weights / weights.sum(1, keepdims=True)
    return torch.from_numpy(bank).to(device)


def enlarge(picture: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int], step: int) -> Tensor:
    """The upper left `rows` (B,) x `columns` (B,) pixels of each picture (B, C, H, W) resampled to `size`, bicubic.

    `columns` are multiples of `step`.
    """
    b, c, h, w = picture.shape
    across = _resampling(w, size[1], step, picture.device)[columns // step]  # (B, size[1], W)
    down = _resampling(h, size[0], 1, picture.device)[rows]  # (B, size[0], H)
    wide = torch.bmm(picture.reshape(b, c * h, w), across.transpose(1, 2)).view(b, c, h, size[1])
    return (down[:, None] @ wide).clamp_(0, 1)
