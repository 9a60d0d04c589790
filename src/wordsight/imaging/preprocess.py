"""Crops to network input, by the same code in training and inference."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.errors import ConfigError, ImageError

WIDTH_STEP = 16
"""Pixels. Variable widths are multiples of this, so that crops of similar width can be batched."""


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes network input: scaled to `height`, divided by 255, minus `mean`, divided by `std` (RGB).

    With a `width` it is stretched to that. Without one (None) it keeps its aspect ratio, but for a factor of `stretch`,
    and is padded on the right with at least `margin` columns of zeros, up to the next multiple of `WIDTH_STEP`.

    The defaults are PARSeq's (32 x 128, values in -1..1).

    Raises:
        ConfigError: a size below 1, not three means and three positive deviations, or a margin or stretch that is
            invalid or combined with a width.
    """

    height: int = 32
    width: int | None = 128
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    margin: int = 0
    stretch: float = 1.0

    def __post_init__(self) -> None:
        if self.height < 1 or (self.width is not None and self.width < 1):
            raise ConfigError(f"preprocessing size {self.height} x {self.width}: both must be at least 1")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(np.isfinite(self.mean)) or not min(self.std) > 0:
            raise ConfigError("preprocessing needs three means and three deviations above 0, one each for R, G, B")
        if not (self.margin >= 0 and 0.1 <= self.stretch <= 10) or (
            self.width and (self.margin, self.stretch) != (0, 1)
        ):
            raise ConfigError("a margin (0 or more) and a stretch (0.1 to 10) are for preprocessing without a width")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width.

        Raises:
            ConfigError: the width is variable.
        """
        if self.width is None:
            raise ConfigError("this model takes pictures of any width, but a fixed size is needed here")
        return self.height, self.width

    def columns(self, height: int, width: int) -> int:
        """Number of columns of the input that a crop of this size covers."""
        return self.width or max(1, round(self.height * width / height * self.stretch))

    def input_width(self, height: int, width: int) -> int:
        """Width of the input for a crop of this size, in pixels."""
        if self.width is not None:
            return self.width
        return math.ceil((self.columns(height, width) + self.margin) / WIDTH_STEP) * WIDTH_STEP

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        return values if self.width is None else {key: values[key] for key in _FIXED}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a key is missing or unknown, or a value has the wrong type or range.
        """
        keys = _FIXED if values.get("width") is not None else (*_FIXED, "margin", "stretch")
        if set(values) != set(keys):
            raise ConfigError(f"preprocessing has the keys {sorted(values)}: give {', '.join(keys)}")
        try:
            mean, std = (tuple(float(v) for v in values[key]) for key in ("mean", "std"))
            width = None if values["width"] is None else int(values["width"])
            rest = {} if width is not None else {"margin": int(values["margin"]), "stretch": float(values["stretch"])}
            return cls(int(values["height"]), width, mean, std, **rest)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ConfigError("preprocessing needs integers for height and width, lists of numbers else") from None


_FIXED = ("height", "width", "mean", "std")


def centre_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square in the middle of an image (h, w, 3), as a view."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


class Batch(NamedTuple):
    """Crops that go through a network together: their numbers, and float32 (B, 3, H, W)."""

    numbers: list[int]
    images: NDArray[np.float32]


def batches(crops: Sequence[NDArray[np.uint8]], spec: Preprocessing, size: int) -> Iterator[Batch]:
    """All crops as batches of input of equal width, in which the input for a crop does not depend on the others.

    Args:
        crops: uint8 RGB, (h, w, 3) each.
        spec: how they become input.
        size: largest number of crops in a batch. With variable widths, batches of wide crops are smaller, so that none
            is larger than `size` crops four times as wide as high.

    Raises:
        ImageError: a crop is empty, or not uint8 RGB.
    """
    by_width: defaultdict[int, list[int]] = defaultdict(list)
    for i, crop in enumerate(crops):
        _check(i, crop)
        by_width[spec.input_width(*crop.shape[:2])].append(i)
    for width, numbers in sorted(by_width.items()):
        count = size if spec.width else max(1, min(size, size * 4 * spec.height // width))
        for start in range(0, len(numbers), count):
            some = numbers[start : start + count]
            yield Batch(some, prepare([crops[i] for i in some], spec))


def prepare(crops: Sequence[NDArray[np.uint8]], spec: Preprocessing, *, together: bool = False) -> NDArray[np.float32]:
    """Scales crops to a recognizer's input size (Pillow's bicubic, anti-aliased) and normalises them.

    Args:
        crops: uint8 RGB, (h, w, 3) each. With variable widths they must result in the same width, see `batches`.
        spec: size, mean and deviation.
        together: whether crops of different widths are padded with zeros to the widest (for training; the input for a
            crop then depends on the others).

    Returns:
        float32 (B, 3, height, width).

    Raises:
        ImageError: a crop is empty or not uint8 RGB, or their widths differ.
    """
    for i, crop in enumerate(crops):
        _check(i, crop)
    widths = {spec.input_width(*crop.shape[:2]) for crop in crops}
    if len(widths) > 1 and not together:
        raise ImageError(f"crops become {sorted(widths)} pixels wide: prepare those of one width together")
    width = max(widths, default=spec.width or WIDTH_STEP)
    pixels = np.empty((len(crops), spec.height, width, 3), np.uint8)
    columns = [spec.columns(*crop.shape[:2]) for crop in crops]
    for place, crop, covered in zip(pixels, crops, columns, strict=True):
        place[:, :covered] = np.asarray(Image.fromarray(crop).resize((covered, spec.height), Image.Resampling.BICUBIC))
    scale = (1 / (255 * np.array(spec.std))).astype(np.float32)
    shift = (-np.array(spec.mean) / np.array(spec.std)).astype(np.float32)
    result = np.empty((len(crops), 3, spec.height, width), np.float32)
    for channel in range(3):
        np.multiply(pixels[..., channel], scale[channel], out=result[:, channel], dtype=np.float32)
        result[:, channel] += shift[channel]
    for row, covered in zip(result, columns, strict=True):
        row[:, :, covered:] = 0
    return result


def _check(i: int, crop: NDArray[np.uint8]) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or 0 in crop.shape:
        raise ImageError(f"crop {i} is {crop.dtype} of shape {crop.shape}: pass uint8 RGB (height, width, 3)")
