"""RandAugment as PARSeq and CLIP4STR train with it: three of sixteen operations, each applied with probability 1/2.

Operations and strengths are those of the released training code; the papers only name the method. On one slow core a
crop of 32 x 100 pixels takes 0.4 ms, 64 x 200 1 ms and 200 x 600 6 ms. `augment` is our own, milder set for compact
models.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator
_STRENGTH = 0.5  # magnitude 5 of 10; the released training uses no other and draws no variation around it
_LAYERS = 3  # operations drawn for each crop, without replacement
_PROBABILITY = 0.5  # of applying a drawn operation; and of each sign, where an operation has two
_GREY = (128, 128, 128)  # fills what comes in from outside the crop


def rand_augment(image: Picture, rng: Rng) -> Picture:
    """A changed copy of a crop, uint8 RGB (H, W, 3) to uint8 RGB (H', W', 3); the same for the same state of `rng`.

    Only rotation changes the size, to make room for the corners.
    """
    picture = Image.fromarray(image)
    for name in rng.choice(tuple(OPERATIONS), _LAYERS, replace=False):
        if rng.random() < _PROBABILITY:
            picture = OPERATIONS[name](picture, _STRENGTH, rng)
    return np.array(picture)


def _signed(largest: float, rng: Rng) -> float:
    return largest if rng.random() < _PROBABILITY else -largest


def _solarize_add(picture: Image.Image, strength: float) -> Image.Image:
    add = int(110 * strength)
    return picture.point([min(level + add, 255) if level < 128 else level for level in range(256)] * 3)


def _poisson_noise(picture: Image.Image, strength: float, rng: Rng) -> Image.Image:
    """The same noise in all three channels: Poisson counts with a random sign."""
    mean = _capped(40 * strength, picture, 0.2) | 1  # made odd, as released
    shape = picture.height, picture.width, 1
    noise = rng.poisson(mean, shape) * rng.choice(np.array([-1, 1]), shape)
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def _capped(value: float, picture: Image.Image, share: float) -> int:
    """At most `share` of the longer side, but never capped below 1."""
    return round(min(value, max(1.0, share * max(picture.size))))


def _affine(picture: Image.Image, matrix: tuple[float, ...], rng: Rng) -> Image.Image:
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, _resampling(rng), fillcolor=_GREY)


def _resampling(rng: Rng) -> Image.Resampling:
    return (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)[rng.integers(2)]


# (picture, strength as a share of the largest, generator) -> changed picture; beside each, what strength 0.5 does.
OPERATIONS: dict[str, Callable[[Image.Image, float, Rng], Image.Image]] = {
    "AutoContrast": lambda picture, s, rng: ImageOps.autocontrast(picture),
    "Equalize": lambda picture, s, rng: ImageOps.equalize(picture),
    "Invert": lambda picture, s, rng: ImageOps.invert(picture),
    "Rotate": lambda picture, s, rng: picture.rotate(  # +-15 degrees
        _signed(30 * s, rng), _resampling(rng), expand=True, fillcolor=_GREY
    ),
    "Posterize": lambda picture, s, rng: ImageOps.posterize(picture, max(1, 4 - int(4 * s))),  # keeps 2 bits
    "Solarize": lambda picture, s, rng: ImageOps.solarize(picture, 256 - int(256 * s)),  # from level 128
    "SolarizeAdd": lambda picture, s, rng: _solarize_add(picture, s),  # +55 below level 128
    "Color": lambda picture, s, rng: ImageEnhance.Color(picture).enhance(1 + _signed(0.9 * s, rng)),  # x 0.55 or 1.45
    "Contrast": lambda picture, s, rng: ImageEnhance.Contrast(picture).enhance(1 + _signed(0.9 * s, rng)),  # the same
    "Brightness": lambda picture, s, rng: ImageEnhance.Brightness(picture).enhance(1 + _signed(0.9 * s, rng)),
    "ShearX": lambda picture, s, rng: _affine(picture, (1, _signed(0.9 * s, rng), 0, 0, 1, 0), rng),  # +-0.45
    "ShearY": lambda picture, s, rng: _affine(picture, (1, 0, 0, _signed(0.2 * s, rng), 1, 0), rng),  # +-0.1
    "TranslateX": lambda picture, s, rng: _affine(  # +-5 % of the width
        picture, (1, 0, _signed(0.1 * s, rng) * picture.width, 0, 1, 0), rng
    ),
    "TranslateY": lambda picture, s, rng: _affine(  # +-15 % of the height
        picture, (1, 0, 0, 0, 1, _signed(0.3 * s, rng) * picture.height), rng
    ),
    "GaussianBlur": lambda picture, s, rng: picture.filter(  # radius 2, at most 2 % of the longer side
        ImageFilter.GaussianBlur(_capped(4 * s, picture, 0.02))
    ),
    "PoissonNoise": _poisson_noise,  # mean 21, at most 20 % of the longer side
}
"""The operations by their names in RandAugment."""
