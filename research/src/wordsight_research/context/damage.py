"""Harder crops: what a recognizer cannot see there it might guess from the scene. The scene itself is never touched."""

import io
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Pixels: TypeAlias = npt.NDArray[np.uint8]
Kind = Literal["clean", "blur", "small", "occlude", "jpeg", "blank", "any"]

_GREY = 128


@dataclass(frozen=True)
class Damage:
    """What is done to a crop.

    Attributes:
        kind: "any" is one of the first five with a level from mild to hopeless, drawn for each crop.
        level: of "blur", its sigma as a share of the crop's height; of "small", the height in pixels that is left; of
            "occlude", the share of the width that one bar hides; of "jpeg", the quality.
    """

    kind: Kind = "clean"
    level: float = 0.0

    def __call__(self, crop: Pixels, rng: np.random.Generator) -> Pixels:
        """A crop, uint8 RGB (H, W, 3), as it is after the damage; `rng` decides what is left open."""
        if self.kind == "clean":
            return crop
        if self.kind == "blank":
            return np.full_like(crop, _GREY)
        if self.kind == "any":
            return _ANY[int(rng.integers(len(_ANY)))](rng)(crop, rng)
        if self.kind == "occlude":
            return _occluded(crop, self.level, rng)
        picture = Image.fromarray(crop)
        if self.kind == "blur":
            picture = picture.filter(ImageFilter.GaussianBlur(self.level * crop.shape[0]))
        elif self.kind == "small":
            height = max(1, round(self.level))
            width = max(1, round(crop.shape[1] * height / crop.shape[0]))
            picture = picture.resize((width, height), Image.Resampling.BOX)
        else:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=max(1, round(self.level)))
            picture = Image.open(buffer).convert("RGB")
        return np.asarray(picture)

    def __str__(self) -> str:
        return self.kind if self.kind in ("clean", "blank", "any") else f"{self.kind} {self.level:g}"


# From what does little to what leaves only the length of a word.
_ANY = (
    lambda rng: Damage("clean"),
    lambda rng: Damage("small", float(rng.uniform(3.5, 10))),
    lambda rng: Damage("small", float(rng.uniform(3.5, 10))),
    lambda rng: Damage("blur", float(rng.uniform(0.05, 0.22))),
    lambda rng: Damage("occlude", float(rng.uniform(0.15, 0.6))),
)


def _occluded(crop: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """One bar of the crop's mean colour over its whole height."""
    out = crop.copy()
    width = round(share * crop.shape[1])
    left = int(rng.integers(0, crop.shape[1] - width + 1))
    out[:, left : left + width] = crop.mean(axis=(0, 1)).astype(np.uint8)
    return out
