"""Controls: what a recognizer is shown instead of a word's scene, to find out whether the scene helps.

If a score does not fall when the scene is replaced, it was not the scene that helped; what remains of a gain where text
is painted over (`mask-word`, `mask-text`) does not come from a second view of the word.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from wordsight.errors import ConfigError
from wordsight.imaging.geometry import word_height

Mode = Literal["real", "shuffle", "gray", "blur", "mask-word", "mask-text", "constant", "random-encoder", "none"]
"""The scene as it is; the scene of other words; uniform grey; the scene blurred until only light and colours remain;
the scene with the word itself painted over, or all its words, illegible ones too; the same picture for all words; the
scene as an encoder with random weights sees it; no scene."""

CONTROLS: tuple[Mode, ...] = get_args(Mode)
_Id = TypeVar("_Id", int, str)
Pixels = npt.NDArray[np.uint8]
Polygon = npt.NDArray[np.float64]

_SIDE = 224  # of pictures that are the same for all scenes: the input size of most encoders
_BLUR = 1 / 12  # sigma as a share of the longer side: light and colours remain, shapes do not
_GROWTH = 0.1  # of the word's height: labels are tight, and blur and JPEG carry ink beyond them
_RING = 0.15  # of the word's height: how far around the word the surrounding colour is sampled; signs are small
_LEAST = 1.5  # pixels, of either


def control(pixels: Pixels, polygons: Sequence[Polygon], word_number: int, mode: Mode, seed: int = 0) -> Pixels:
    """The scene that word `word_number` is shown with under a control.

    Args:
        pixels: the scene, uint8 RGB (H, W, 3); it is not changed.
        polygons: (N, 2) of all words in it, illegible ones included, in pixels.
        word_number: index of the word in `polygons`; only used by `mask-word`.
        mode: one of `CONTROLS`. Those that do not change pixels return the scene as it is.
        seed: of the picture for `constant`.

    Returns:
        uint8 RGB; of the scene's size, or 224 x 224 where one picture serves all scenes.

    Raises:
        ConfigError: there is no such control.
    """
    if mode not in CONTROLS:
        raise ConfigError(f"no control {mode!r}; there are {', '.join(CONTROLS)}")
    if mode == "gray":
        return np.full((_SIDE, _SIDE, 3), 128, np.uint8)
    if mode == "constant":
        return _constant(seed)
    if mode == "blur":
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(_BLUR * max(pixels.shape[:2]))))
    if mode == "mask-word":
        return paint_over(pixels, polygons, [word_number])
    if mode == "mask-text":
        return paint_over(pixels, polygons, range(len(polygons)))
    return pixels


def scene_key(scene: str, word_number: int, mode: Mode, seed: int = 0) -> str:
    """Cache key of the picture that `control` returns: equal keys, equal pictures."""
    if mode in ("gray", "constant", "none"):
        return f"{mode}:{seed}" if mode == "constant" else mode
    if mode in ("shuffle", "random-encoder"):  # which leave the pixels as they are
        mode = "real"
    return f"{mode}:{scene}#{word_number}" if mode == "mask-word" else f"{mode}:{scene}"


def shuffled(ids: Iterable[_Id], seed: int = 0) -> dict[_Id, _Id]:
    """Assigns to every scene another one, each used once: one random cycle through all of them (Sattolo 1986).

    Raises:
        ConfigError: there are fewer than two scenes.
    """
    names = list(dict.fromkeys(ids))
    if len(names) < 2:
        raise ConfigError(f"{len(names)} scene(s) cannot be shuffled: the control needs at least two")
    order = random.Random(f"{seed}/shuffle").sample(names, len(names))
    return dict(zip(order, order[1:] + order[:1], strict=True))


def paint_over(pixels: Pixels, polygons: Sequence[Polygon], numbers: Iterable[int]) -> Pixels:
    """A copy in which the given words, slightly enlarged, are filled with the median colour around them.

    Other text does not count as surroundings, unless there is nothing else.
    """
    out = pixels.copy()
    whole = Image.new("L", (pixels.shape[1], pixels.shape[0]))
    for polygon in polygons:
        _draw(whole, polygon, _growth(polygon))
    written = np.asarray(whole) > 0
    for number in numbers:
        polygon = polygons[number]
        reach = _growth(polygon) + max(_LEAST, _RING * word_height(polygon))
        x0, y0 = np.maximum(np.floor(polygon.min(0) - reach - 1).astype(int), 0)
        x1, y1 = np.ceil(polygon.max(0) + reach + 2).astype(int)
        window = np.s_[y0:y1, x0:x1]
        around, inside = (Image.fromarray(np.zeros(written[window].shape, np.uint8)) for _ in range(2))
        if not (around.width and around.height):  # out of the picture
            continue
        moved = polygon - (x0, y0)
        _draw(around, moved, reach)
        _draw(inside, moved, _growth(polygon))
        own = np.asarray(inside) > 0
        ring = (np.asarray(around) > 0) & ~own
        free = ring & ~written[window]
        seen = pixels[window][free if free.any() else ring]
        out[window][own] = np.median(seen if len(seen) else pixels.reshape(-1, 3), axis=0).astype(np.uint8)
    return out


def _growth(polygon: Polygon) -> float:
    return max(_LEAST, _GROWTH * word_height(polygon))


def _draw(mask: Image.Image, polygon: Polygon, growth: float) -> None:
    """Fills a polygon, grown by `growth` pixels to all sides."""
    draw, points = ImageDraw.Draw(mask), [(float(x), float(y)) for x, y in polygon]
    draw.polygon(points, fill=255)
    draw.line([*points, points[0]], fill=255, width=round(2 * growth) + 1)
    for x, y in points:
        draw.ellipse((x - growth, y - growth, x + growth, y + growth), fill=255)


def _constant(seed: int) -> Pixels:
    """A picture of random soft shapes: as busy as a scene, and about nothing."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    fine = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    size, how = (_SIDE, _SIDE), Image.Resampling.BICUBIC
    return np.asarray(Image.blend(picture.resize(size, how), fine.resize(size, how), 0.4))
