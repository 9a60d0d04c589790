"""Decoded pictures and arrays of any bit depth to upright 8-bit RGB."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from wordsight.errors import ImageError

_ORIENTATION = 0x0112  # the EXIF tag
_ROWS = 256  # of a band
_PLAIN = ("1", "L", "P", "RGB", "CMYK", "YCbCr")  # modes that are converted to RGB pixel by pixel, not as a whole
# By EXIF orientation: a view of the upright array with rows and columns as in the file
_AS_IN_THE_FILE: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
# White in floats of 0..1 and in integers of 8, 10, 12, 14 and 16 bits; industrial and medical cameras store the middle
# ones in 16-bit files.
_FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)
_LEAST_RANGE = 1 / 8  # of the scale; a smaller range (thermal cameras) would be only a few grey levels in 8 bits
_GROUNDS = (255, 128, 0)
_GROUND_MARGIN = 16  # grey levels of contrast by which another ground must be better than white, the usual one


def from_pillow(image: Image.Image) -> NDArray[np.uint8]:
    """The current frame of a picture, decoded, as uint8 RGB (H, W, 3), upright by its EXIF data.

    Raises:
        Exception: any of Pillow's, if the picture is damaged.
    """
    deep = _deep_colours(image)
    if deep is not None:
        return _upright_rgb(Image.fromarray(from_array(deep, "the picture")), exif_orientation(image))
    image.load()  # which turns TIFFs upright and removes their orientation
    return _upright_rgb(image, exif_orientation(image))


def _upright_rgb(image: Image.Image, orientation: int) -> NDArray[np.uint8]:
    """A picture as uint8 RGB (H, W, 3), rotated by its EXIF orientation, 1 to 8.

    In bands of rows if possible, so that a hundred megapixels are in memory once and not three times.
    """
    plain = image.mode in _PLAIN and "transparency" not in image.info
    if not plain:
        image = _to_rgb(image)
    size = (image.width, image.height) if orientation in (5, 6, 7, 8) else (image.height, image.width)
    upright = np.empty((*size, 3), np.uint8)
    rows = _AS_IN_THE_FILE.get(orientation, np.asarray)(upright)
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        band = image.crop((0, top, image.width, bottom))
        rows[top:bottom] = np.asarray(_to_rgb(band) if plain else band)
    return upright


def _deep_colours(image: Image.Image) -> NDArray[np.uint16] | None:
    """16-bit colours, of which Pillow would keep only the upper 8 bits; None if it loses nothing."""
    tiles = getattr(image, "tile", None)
    if not tiles or image.mode not in ("RGB", "RGBA") or ";16" not in str(tiles[0].args) or image.tell():
        return None
    import cv2

    stream = image.fp  # type: ignore[attr-defined]  # of what was opened from a file
    place = stream.tell()
    stream.seek(0)
    pixels = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    stream.seek(place)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        return None  # Pillow says what is wrong, or reads what it can
    order = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(pixels, order, dst=pixels), dtype=np.uint16)


def from_array(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Grey (H, W) or (H, W, 1), RGB (H, W, 3) or RGBA (H, W, 4) as uint8 RGB (H, W, 3).

    Raises:
        ImageError: the shape or type is not one that `load_image` accepts.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(
            f"{name} has shape {array.shape}: pass grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4), channels last"
        )
    if array.shape[2] == 4:
        both = np.empty(array.shape, np.uint8)
        both[..., :3] = _to_bytes(array[..., :3], name)
        both[..., 3:] = _to_bytes(array[..., 3:], name, full=65535)
        return np.asarray(_on_ground(Image.fromarray(both)))
    pixels = _to_bytes(array, name)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)


def _to_bytes(array: NDArray[Any], name: str, full: int | None = None) -> NDArray[np.uint8]:
    """To 8 bits; `full`: white in 16 bits, if known."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        offset, factor = (0.0, 255 / full) if full else _scale(float(array.min()), float(array.max()))
        out = np.empty(array.shape, np.uint8)
        for top in range(0, len(array), _ROWS):  # as float32 a large picture would take gigabytes
            rows = slice(top, top + _ROWS)
            out[rows] = _bytes((array[rows].astype(np.float32) - offset) * factor)
        return out
    if np.issubdtype(array.dtype, np.integer):
        if array.min() < 0 or array.max() > 255:
            raise ImageError(f"{name} is an array of {array.dtype} beyond 0..255: pass uint8 or uint16")
        return array.astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError(f"{name} has floats outside 0..1: divide by their maximum, or pass uint8")
        return _bytes(array.astype(np.float32) * 255)
    raise ImageError(f"{name} is an array of {array.dtype}: pass uint8, uint16, bool, or floats in 0..1")


def to_scale_of_8_bits(values: NDArray[Any]) -> NDArray[Any]:
    """Finite greys or colours of unknown bit depth to 0..255.

    They are divided by the smallest scale that contains them. If they cover less than an eighth of it, or none contains
    them, their extremes become black and white.
    """
    offset, factor = _scale(float(values.min()), float(values.max()))
    return (values - offset) * factor


def _scale(low: float, high: float) -> tuple[float, float]:
    """What is subtracted from values between these two, and what they are multiplied by then."""
    full = next((scale for scale in _FULL_SCALES if low >= 0 and high <= scale), None)
    if full is not None and (high == low or high - low >= _LEAST_RANGE * full):
        return 0.0, 255 / full
    return low, 255 / ((high - low) or 1)


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        exact = np.float32 if image.mode.startswith("I;16") else np.float64
        values = np.nan_to_num(np.asarray(image).astype(exact), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return Image.fromarray(_bytes(to_scale_of_8_bits(values))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        # La and RGBa (premultiplied) convert to their plain form only
        plain = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)).convert("RGBA")
        return _on_ground(plain)
    return image.convert("RGB")


def _on_ground(image: Image.Image) -> Image.Image:
    """An RGBA picture on white, or on black or grey if its content is much more visible there."""
    ground = (_ground(image),) * 3
    return Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")


def _ground(image: Image.Image) -> int:
    """The grey level with most contrast to the edges of the content (at the tenth percentile)."""
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return _GROUNDS[0]
    # Beside a pixel that is more opaque than one of its neighbours, the ground is visible.
    edge = np.asarray(alpha) - np.asarray(alpha.filter(ImageFilter.MinFilter(3)))
    if not edge.any():
        return _GROUNDS[0]
    levels = np.asarray(image.convert("L"))[edge > edge.max() // 2].astype(np.int16)
    contrast = {ground: float(np.percentile(abs(levels - ground), 10)) for ground in _GROUNDS}
    best = max(_GROUNDS, key=contrast.__getitem__)
    return best if contrast[best] > contrast[_GROUNDS[0]] + _GROUND_MARGIN else _GROUNDS[0]


def exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation of a picture, 1 to 8; 1 where it states none."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data does not make the picture unreadable
        return 1
