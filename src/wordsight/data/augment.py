"""Random changes to real training crops, so that a few thousand of them can be seen many times. Pillow and NumPy only.

Each kind of change is drawn on its own, strengths are chosen so that words stay readable to a person. Rendered words
are degraded where they are rendered.
"""

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LEVELS = np.linspace(0.0, 1.0, 256)


def augment(image: Picture, rng: Rng, max_height: int = 40) -> Picture:
    """A changed copy of a crop, uint8 RGB (H, W, 3) to uint8 RGB (H', W', 3); the same for the same state of `rng`.

    Geometry (rotation, shear, perspective, looser or tighter box), colour (contrast, brightness, gamma, tint,
    saturation, inversion, channel order), blur, lower resolution, noise and JPEG, in the order in which a camera would
    add them. Crops higher than `max_height` rows are brought down to about it: more than a model looks at (32 rows in
    the compact ones) costs time and shows nothing.
    """
    picture = Image.fromarray(image)
    if picture.height >= 2 * max_height:
        picture = picture.reduce(picture.height // max_height)
    scale = min(1.0, max_height / picture.height)
    if rng.random() < 0.7:
        picture = warp(picture, rng, scale)
    elif scale < 1:
        picture = picture.resize((max(4, round(picture.width * scale)), max_height), Image.Resampling.BILINEAR)
    if rng.random() < 0.7:
        picture = recolour(picture, rng)
    if rng.random() < 0.2:
        picture = blur(picture, rng)
    if rng.random() < 0.2:
        picture = shrink(picture, rng)
    if rng.random() < 0.2:
        picture = add_noise(picture, rng)
    if rng.random() < 0.15:
        picture = compress(picture, rng)
    return np.array(picture)


def warp(picture: Image.Image, rng: Rng, scale: float = 1.0) -> Image.Image:
    """Rotation, shear, perspective, crop jitter and `scale` in one bilinear resampling; the border goes on outwards."""
    width, height = picture.size
    # A few words are tilted much more than the rest, as on photographs.
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
    # Pillow paints what lies outside black; a real photograph goes on, so continue its border.
    xs, ys = zip(*quad, strict=True)
    before, above = max(0, math.ceil(-min(xs))), max(0, math.ceil(-min(ys)))
    after, below = max(0, math.ceil(max(xs) - width)), max(0, math.ceil(max(ys) - height))
    padded = Image.fromarray(np.pad(np.asarray(picture), ((above, below), (before, after), (0, 0)), mode="edge"))
    corners = [v for x, y in quad for v in (x + before, y + above)]
    size = max(4, round((x1 - x0) * scale)), max(4, round((y1 - y0) * scale))
    return padded.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)


def recolour(picture: Image.Image, rng: Rng) -> Image.Image:
    """Contrast, brightness, gamma, tint and inversion as one table per channel; saturation; order of the channels."""
    if rng.random() < 0.3:
        amount = 0.0 if rng.random() < 0.4 else rng.uniform(0.0, 1.6)
        grey = [(1 - amount) * weight for weight in _LUMA]
        rows = [[*(grey[c] + amount * (r == c) for c in range(3)), 0.0] for r in range(3)]
        picture = picture.convert("RGB", tuple(v for row in rows for v in row))
    gamma, contrast = np.exp(rng.normal(0.0, (0.25, 0.3)))
    # Contrast turns about the crop's own middle grey, so that dark and pale words stay words.
    middle = (float(np.asarray(picture)[::4, ::4].mean()) / 255.0) ** gamma
    level = (_LEVELS**gamma - middle) * contrast + middle + rng.normal(0.0, 0.08)
    if rng.random() < 0.15:
        level = 1.0 - level
    tint = rng.normal(1.0, 0.08, (3, 1)) if rng.random() < 0.5 else np.ones((3, 1))
    table = np.clip(level * tint * 255.0 + 0.5, 0, 255).astype(np.uint8)
    picture = picture.point(table.ravel().tolist())
    if rng.random() < 0.15:
        bands = picture.split()
        picture = Image.merge("RGB", [bands[c] for c in rng.permutation(3)])
    return picture


def blur(picture: Image.Image, rng: Rng) -> Image.Image:
    """Out of focus, or moved along one of four directions; sharpened once in a while. Scales with the crop's height."""
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
    """Fewer pixels (down to 10 rows), scaled up again or left small; the filters vary as they do in the wild."""
    height = int(rng.uniform(10, max(11, picture.height)))
    filters = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX)
    down, up = rng.integers(1, 4), rng.integers(0, 3)
    small = picture.resize((max(4, round(picture.width * height / picture.height)), height), filters[down])
    return small if rng.random() < 0.5 else small.resize(picture.size, filters[up])


def add_noise(picture: Image.Image, rng: Rng) -> Image.Image:
    """Triangular noise of standard deviation 3 to 18 levels, per channel or the same in all three."""
    pixels = np.asarray(picture)
    shape = pixels.shape if rng.random() < 0.7 else (*pixels.shape[:2], 1)
    # Two random bytes added: 16 times quicker than normal deviates. Their standard deviation is 104.5.
    dice = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    table = ((np.arange(511) - 255) * (rng.uniform(3.0, 18.0) / 104.5)).round().astype(np.int16)
    noise = table[dice[0].astype(np.intp) + dice[1]]
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def compress(picture: Image.Image, rng: Rng) -> Image.Image:
    """JPEG at quality 15 to 75."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.uniform(15, 75)))
    return Image.open(buffer).convert("RGB")
