"""RandAugment as PARSeq and CLIP4STR train with it: three of sixteen changes, each made or left out by a coin.

The list and the strengths are those of the released training (PARSeq and CLIP4STR, as released; the paper names the
method only). Pillow and NumPy only. On one slow core a crop of 32 x 100 pixels takes 0.4 ms, 64 x 200 1 ms and
200 x 600 6 ms. `augment` is our own, milder set for compact models.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator
Op = Callable[[Image.Image, float, Rng], Image.Image]
"""(picture, strength as a share of the largest, generator) -> changed picture."""

MAGNITUDE = 5.0
"""Of 10; released training never uses another, and draws no variation around it."""

LAYERS = 3
"""Operations drawn for a crop, without drawing one twice."""

_PROBABILITY = 0.5  # of making a change that was drawn; and of each sign, where a change has two
_GREY = (128, 128, 128)  # what comes in from outside the crop
_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


def rand_augment(image: Picture, rng: Rng, magnitude: float = MAGNITUDE, layers: int = LAYERS) -> Picture:
    """A changed copy of a crop, uint8 RGB (H, W, 3) to uint8 RGB (H', W', 3); the same for the same state of `rng`.

    Only rotation changes the size (it makes room for the corners). `magnitude` is 0 to 10.
    """
    picture = Image.fromarray(image)
    for name in rng.choice(_NAMES, layers, replace=False):
        if rng.random() < _PROBABILITY:
            picture = OPERATIONS[name](picture, magnitude / 10, rng)
    return np.array(picture)


def _signed(largest: float, share: float, rng: Rng) -> float:
    return largest * share * (1 if rng.random() < _PROBABILITY else -1)


def _auto_contrast(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageOps.autocontrast(picture)


def _equalize(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageOps.equalize(picture)


def _invert(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageOps.invert(picture)


def _rotate(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    degrees = _signed(30.0, share, rng)
    return picture.rotate(degrees, _resampling(rng), expand=True, fillcolor=_GREY)


def _posterize(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageOps.posterize(picture, max(1, 4 - int(4 * share)))  # bits that are kept; none would leave it black


def _solarize(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageOps.solarize(picture, 256 - int(256 * share))


def _solarize_add(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    add = int(110 * share)
    return picture.point([min(level + add, 255) if level < 128 else level for level in range(256)] * 3)


def _color(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageEnhance.Color(picture).enhance(1 + _signed(0.9, share, rng))


def _contrast(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageEnhance.Contrast(picture).enhance(1 + _signed(0.9, share, rng))


def _brightness(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1 + _signed(0.9, share, rng))


def _shear_x(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return _affine(picture, (1, _signed(0.9, share, rng), 0, 0, 1, 0), rng)


def _shear_y(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return _affine(picture, (1, 0, 0, _signed(0.2, share, rng), 1, 0), rng)


def _translate_x(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return _affine(picture, (1, 0, _signed(0.1, share, rng) * picture.width, 0, 1, 0), rng)


def _translate_y(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return _affine(picture, (1, 0, 0, 0, 1, _signed(0.3, share, rng) * picture.height), rng)


def _gaussian_blur(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(_capped(4 * share, picture, 0.02)))


def _poisson_noise(picture: Image.Image, share: float, rng: Rng) -> Image.Image:
    """The same noise in all three channels: Poisson counts with a random sign."""
    mean = _capped(40 * share, picture, 0.2) | 1  # made odd, as released
    shape = picture.height, picture.width, 1
    noise = rng.poisson(mean, shape) * rng.choice(np.array([-1, 1]), shape)
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def _capped(value: float, picture: Image.Image, share: float) -> int:
    """At most `share` of the longer side, which may fall to 1 but not below."""
    return round(min(value, max(1.0, share * max(picture.size))))


def _affine(picture: Image.Image, matrix: tuple[float, ...], rng: Rng) -> Image.Image:
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, _resampling(rng), fillcolor=_GREY)


def _resampling(rng: Rng) -> Image.Resampling:
    return _FILTERS[rng.integers(2)]


# Strengths at magnitude 5, half of the largest, beside each.
OPERATIONS: dict[str, Op] = {
    "AutoContrast": _auto_contrast,
    "Equalize": _equalize,
    "Invert": _invert,
    "Rotate": _rotate,  # +-15 degrees
    "Posterize": _posterize,  # 2 bits
    "Solarize": _solarize,  # from level 128
    "SolarizeAdd": _solarize_add,  # +55 below level 128
    "Color": _color,  # x 0.55 or 1.45
    "Contrast": _contrast,  # x 0.55 or 1.45
    "Brightness": _brightness,  # x 0.55 or 1.45
    "ShearX": _shear_x,  # +-0.45
    "ShearY": _shear_y,  # +-0.1
    "TranslateX": _translate_x,  # +-5 % of the width
    "TranslateY": _translate_y,  # +-15 % of the height
    "GaussianBlur": _gaussian_blur,  # radius 2, at most 2 % of the longer side
    "PoissonNoise": _poisson_noise,  # mean 21, at most 20 % of the longer side
}
"""The changes by their names in RandAugment."""

_NAMES = tuple(OPERATIONS)
