"""Crops to network input: training and inference run this same code."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.errors import ConfigError, ImageError


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes network input: stretched to `height` x `width`, divided by 255, minus `mean`, by `std` (RGB).

    The defaults are PARSeq's (32 x 128, values in -1..1).

    Raises:
        ConfigError: a size below 1, not three means or deviations, or a deviation that is not above 0.
    """

    height: int = 32
    width: int = 128
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"preprocessing size {self.height} x {self.width}: both must be at least 1")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(np.isfinite(self.mean)) or not min(self.std) > 0:
            raise ConfigError("preprocessing needs three means and three deviations above 0, one each for R, G, B")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a key is missing or unknown, or a value has the wrong type or range.
        """
        if set(values) != {"height", "width", "mean", "std"}:
            raise ConfigError(f"preprocessing has the keys {sorted(values)}: give height, width, mean and std")
        try:
            mean, std = (tuple(float(v) for v in values[key]) for key in ("mean", "std"))
            height, width = int(values["height"]), int(values["width"])
        except (TypeError, ValueError):
            raise ConfigError("preprocessing needs integers for height and width, lists of numbers else") from None
        return cls(height, width, mean, std)  # type: ignore[arg-type]  # __post_init__ counts them


def centre_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square in the middle of an image (h, w, 3), as a view."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def prepare(crops: Sequence[NDArray[np.uint8]], spec: Preprocessing) -> NDArray[np.float32]:
    """Stretches crops to the size that a recognizer takes (Pillow's bicubic, anti-aliased) and normalises them.

    A crop's result does not depend on the others.

    Args:
        crops: uint8 RGB, (h, w, 3) each.
        spec: size, mean and deviation.

    Returns:
        float32 (B, 3, height, width).

    Raises:
        ImageError: a crop is empty, or not uint8 RGB.
    """
    pixels = np.empty((len(crops), spec.height, spec.width, 3), np.uint8)
    for i, crop in enumerate(crops):
        if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or 0 in crop.shape:
            raise ImageError(f"crop {i} is {crop.dtype} of shape {crop.shape}: pass uint8 RGB (height, width, 3)")
        image = Image.fromarray(crop)
        pixels[i] = np.asarray(image.resize((spec.width, spec.height), Image.Resampling.BICUBIC))
    scale = (1 / (255 * np.array(spec.std))).astype(np.float32)
    shift = (-np.array(spec.mean) / np.array(spec.std)).astype(np.float32)
    result = np.empty((len(crops), 3, spec.height, spec.width), np.float32)
    for channel in range(3):
        np.multiply(pixels[..., channel], scale[channel], out=result[:, channel], dtype=np.float32)
        result[:, channel] += shift[channel]
    return result
