"""Augmentation of real training crops, so that a few thousand of them can be seen many times.

Each kind of change is drawn independently, with strengths at which people can still read the words. Rendered words are
degraded when they are rendered.
"""

import io
import math

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_LEVELS = np.linspace(0.0, 1.0, 256)
_WHITE = np.full(3, 255.0)
_MAX_HEIGHT = 40


def augment(image: Picture, rng: Rng) -> Picture:
    """A changed copy of a crop, uint8 RGB (H, W, 3) to uint8 RGB (H', W', 3); the same for the same state of `rng`.

    Geometry (rotation, shear, perspective, looser or tighter box), blur, lower resolution, colour (contrast,
    brightness, gamma, tint, saturation, inversion, channel order), noise and JPEG. Crops of more than 40 rows are
    scaled down to about 40: compact models look at 32, so more would only cost time.
    """
    if image.shape[0] >= 2 * _MAX_HEIGHT:
        image = np.asarray(Image.fromarray(image).reduce(image.shape[0] // _MAX_HEIGHT))
    scale = min(1.0, _MAX_HEIGHT / image.shape[0])
    if rng.random() < 0.7:
        picture = warp(image, rng, scale)
    else:
        picture = Image.fromarray(image)
        if scale < 1:
            picture = picture.resize((max(4, round(picture.width * scale)), _MAX_HEIGHT), Image.Resampling.BOX)
    if rng.random() < 0.2:
        picture = blur(picture, rng)
    if rng.random() < 0.2:
        picture = shrink(picture, rng)
    image = np.array(picture)
    if rng.random() < 0.7:
        image = recolour(image, rng)
    if rng.random() < 0.2:
        image = add_noise(image, rng)
    if rng.random() < 0.1:
        image = compress(image, rng)
    return image


def warp(image: Picture, rng: Rng, scale: float = 1.0) -> Image.Image:
    """Rotation, shear, perspective, crop jitter and `scale` in one bilinear resampling; the border is replicated."""
    height, width = image.shape[:2]
    # As in photographs, a few words are tilted much more than the rest.
    turn = math.radians(rng.normal(0.0, 3.0) if rng.random() < 0.9 else rng.normal(0.0, 10.0))
    shear = rng.normal(0.0, 0.1)
    # Box looser or tighter on each side (mostly looser: losing the edge of a letter hurts).
    left, right, top, bottom = (min(max(v, -0.06), 0.25) * height for v in rng.normal(0.03, 0.05, 4).tolist())
    free = (rng.normal(0.0, 0.03, 8) * height).tolist()
    x0, x1, y0, y1 = -width / 2 - left, width / 2 + right, -height / 2 - top, height / 2 + bottom
    cosine, sine = math.cos(turn), math.sin(turn)
    quad = []  # what is cut out: top left, bottom left, bottom right, top right
    for (x, y), dx, dy in zip(((x0, y0), (x0, y1), (x1, y1), (x1, y0)), free[:4], free[4:], strict=True):
        x += shear * y
        quad.append((x * cosine - y * sine + dx + width / 2, x * sine + y * cosine + dy + height / 2))
    # Pillow would fill what lies outside with black; a real photograph has no such edge, so replicate the border.
    xs, ys = zip(*quad, strict=True)
    before, above = max(0, math.ceil(-min(xs))), max(0, math.ceil(-min(ys)))
    after, below = max(0, math.ceil(max(xs) - width)), max(0, math.ceil(max(ys) - height))
    padded = Image.fromarray(cv2.copyMakeBorder(image, above, below, before, after, cv2.BORDER_REPLICATE))
    corners = [v for x, y in quad for v in (x + before, y + above)]
    size = max(4, round((x1 - x0) * scale)), max(4, round((y1 - y0) * scale))
    return padded.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)


def blur(picture: Image.Image, rng: Rng) -> Image.Image:
    """Defocus, or motion blur in one of four directions; occasionally sharpening. Scales with the crop's height."""
    scale = picture.height / 32
    kind = rng.random()
    if kind < 0.6:
        return picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.2, 1.0)) * scale))
    if kind < 0.8:
        line = np.zeros((5, 5))
        steps = np.arange(-2, 3)
        across, down = [(1, 0), (0, 1), (1, 1), (1, -1)][rng.integers(4)]
        line[2 + steps * down, 2 + steps * across] = 1
        return picture.filter(ImageFilter.Kernel((5, 5), line.ravel().tolist()))
    return picture.filter(ImageFilter.UnsharpMask(2, int(rng.uniform(50, 200)), 0))


def shrink(picture: Image.Image, rng: Rng) -> Image.Image:
    """Lower resolution (down to 10 rows), scaled up again or left small, with varying filters as in the wild."""
    height = int(rng.uniform(10, max(11, picture.height)))
    filters = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX)
    down, up = rng.integers(1, 4), rng.integers(0, 3)
    small = picture.resize((max(4, round(picture.width * height / picture.height)), height), filters[down])
    return small if rng.random() < 0.5 else small.resize(picture.size, filters[up])


def recolour(image: Picture, rng: Rng) -> Picture:
    """Saturation; contrast, brightness, gamma, tint and inversion as one table per channel; channel order."""
    if rng.random() < 0.3:
        amount = 0.0 if rng.random() < 0.4 else rng.uniform(0.0, 1.6)
        mixed = (image @ (_LUMA * (1 - amount)))[:, :, None] + image * np.float32(amount)
        image = np.clip(mixed, 0, 255).astype(np.uint8)
    gamma, contrast = math.exp(rng.normal(0.0, 0.25)), math.exp(rng.normal(0.0, 0.3))
    # Contrast turns about the crop's own middle grey, so that dark and pale words stay words.
    middle = (float(image[::4, ::4].mean()) / 255.0) ** gamma
    level = (_LEVELS**gamma - middle) * contrast + (middle + rng.normal(0.0, 0.08))
    if rng.random() < 0.15:
        level = 1.0 - level
    tint = rng.normal(255.0, 20.0, 3) if rng.random() < 0.5 else _WHITE
    table = np.clip(tint[:, None] * level + 0.5, 0, 255).astype(np.uint8)
    order = rng.permutation(3).tolist() if rng.random() < 0.15 else (0, 1, 2)
    out = np.empty_like(image)
    for channel, origin in enumerate(order):
        out[:, :, channel] = table[channel].take(image[:, :, origin])
    return out


def add_noise(image: Picture, rng: Rng) -> Picture:
    """Triangular noise of standard deviation 3 to 18 levels, per channel or the same in all three."""
    shape = image.shape if rng.random() < 0.7 else (*image.shape[:2], 1)
    # Two random bytes added (standard deviation 104.5): several times quicker than normal deviates.
    dice = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    table = ((np.arange(511) - 255) * (rng.uniform(3.0, 18.0) / 104.5)).round().astype(np.int16)
    noisy: npt.NDArray[np.int16] = image + table.take(dice[0].astype(np.int16) + dice[1])
    return noisy.clip(0, 255).astype(np.uint8)


def compress(image: Picture, rng: Rng) -> Picture:
    """JPEG at quality 15 to 75."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(rng.uniform(15, 75)))
    return np.array(Image.open(buffer, formats=["JPEG"]))
