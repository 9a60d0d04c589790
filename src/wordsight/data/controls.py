"""What a recognizer is shown instead of the scene that a word comes from, to learn what the scene is good for.

The question of every control: if a score does not fall when the scene is replaced, it was not the scene that helped.
Where the word itself, or all writing, is painted over (`mask-word`, `mask-text`), what is left of a gain is not a
second look at the word. A mask still shows how long the word is, but so does the crop.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from wordsight.errors import ConfigError
from wordsight.imaging.geometry import word_height

Mode = Literal[
    "real", "shuffle", "gray", "blur", "mask-word", "mask-text", "constant", "random-encoder", "none"
]  # fmt: skip
Pixels = npt.NDArray[np.uint8]
Polygon = npt.NDArray[np.float64]

_SIDE = 224  # of the pictures that are one for all scenes: what most encoders take
_GREY = 128
_BLUR = 1 / 12  # sigma as a share of the longer side: light and colours remain, no shape does
_GROWTH = 0.1  # of the word's height: labels are drawn tightly, blur and JPEG carry ink past them
_RING = 0.15  # of the word's height: how far from the word its surrounding colour is looked for; signs are small
_LEAST = 1.5  # pixels, of either


@dataclass(frozen=True)
class Control:
    """What a control does.

    Attributes:
        meaning: in one line, for lists.
        acts: on the scene's "pixels"; on the "pairing" of words and scenes (`shuffled`); on the "encoder", which its
            user replaces by an untrained one; or there is no scene at all ("absence").
        per: how many different pictures there are: one a "word", one a "scene", or one for "all" scenes (`scene_key`).
    """

    meaning: str
    acts: Literal["pixels", "pairing", "encoder", "absence"]
    per: Literal["word", "scene", "all"]


CONTROLS: dict[Mode, Control] = {
    "real": Control("the scene as it is", "pixels", "scene"),
    "shuffle": Control("the scene of other words", "pairing", "scene"),
    "gray": Control("a uniform grey picture", "pixels", "all"),
    "blur": Control("the scene blurred until only light and colours are left", "pixels", "scene"),
    "mask-word": Control("the scene with the word itself painted over", "pixels", "word"),
    "mask-text": Control("the scene with all its words painted over, illegible ones too", "pixels", "scene"),
    "constant": Control("one and the same picture for all words", "pixels", "all"),
    "random-encoder": Control("the scene as an encoder with random weights sees it", "encoder", "scene"),
    "none": Control("no scene", "absence", "all"),
}
"""All controls, `real` first."""


def control(pixels: Pixels, polygons: Sequence[Polygon], word_number: int, mode: Mode, seed: int = 0) -> Pixels:
    """The scene that word `word_number` is shown with under a control.

    Args:
        pixels: the scene, uint8 RGB (H, W, 3); it is not changed.
        polygons: (N, 2) of all words in it, illegible ones too, in pixels.
        word_number: which of `polygons` the word is; only `mask-word` asks.
        mode: one of `CONTROLS`. Those that do not act on pixels return the scene as it is.
        seed: another seed, another picture for `constant`.

    Returns:
        uint8 RGB; of the scene's size, or 224 x 224 where one picture serves all scenes.

    Raises:
        ConfigError: there is no such control.
    """
    if mode not in CONTROLS:
        raise ConfigError(f"no control {mode!r}; there are {', '.join(CONTROLS)}")
    if mode == "gray":
        return np.full((_SIDE, _SIDE, 3), _GREY, np.uint8)
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
    """A name for the picture that `control` returns: the same name, the same picture. For caches."""
    per = CONTROLS[mode].per
    if per == "all":
        return f"{mode}:{seed}" if mode == "constant" else mode
    name = "real" if CONTROLS[mode].acts != "pixels" else mode
    return f"{name}:{scene}#{word_number}" if per == "word" else f"{name}:{scene}"


def shuffled(ids: Iterable[str], seed: int = 0) -> dict[str, str]:
    """For every scene another one, no two the same; never a scene itself.

    One random cycle through all scenes (Sattolo 1986), so that nothing has to be drawn twice.

    Raises:
        ConfigError: there are fewer than two scenes.
    """
    names = list(dict.fromkeys(ids))
    if len(names) < 2:
        raise ConfigError(f"{len(names)} scene(s) cannot be shuffled: the control needs at least two")
    order = random.Random(f"{seed}/shuffle").sample(names, len(names))
    return dict(zip(order, order[1:] + order[:1], strict=True))


def paint_over(pixels: Pixels, polygons: Sequence[Polygon], numbers: Iterable[int]) -> Pixels:
    """A copy in which words are filled, each slightly grown, with the median colour of what is around it.

    Writing is not counted as surroundings as long as anything else is there.
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
