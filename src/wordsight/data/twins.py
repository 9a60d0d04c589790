"""Finds training samples that are also in a test set."""

import hashlib
import unicodedata

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data.sample import Sample

_SIZE = (48, 16)  # columns and rows that look-alikes are compared in
ALIKE = 0.9
"""Correlation of grey levels above which two crops with the same text count as the same."""


class Gallery:
    """Test samples to compare others with: by their pixels, whatever file format they come from; and, with `similar`,
    by what they look like where the text is the same (case and white space aside).
    """

    def __init__(self, *, similar: bool = False) -> None:
        self._similar = similar
        self._exact: dict[bytes, tuple[str, str]] = {}  # digest of the pixels -> text, where it is
        self._alike: dict[str, list[tuple[npt.NDArray[np.float32], str]]] = {}

    def add(self, sample: Sample) -> None:
        """One more sample of a test set."""
        text, where = _folded(sample.text), f"{sample.id} of {sample.dataset}"
        self._exact[_digest(sample.image)] = text, where
        if self._similar:
            self._alike.setdefault(text, []).append((_look(sample.image), where))

    def twin(self, sample: Sample) -> str:
        """Which test sample this one is, in words; the empty string if none."""
        text = _folded(sample.text)
        if same := self._exact.get(_digest(sample.image)):
            return same[1] if same[0] == text else f"{same[1]}, labelled {same[0]!r} there"
        if self._similar and (others := self._alike.get(text)):
            look = _look(sample.image)
            likeness, where = max((float(look @ other), where) for other, where in others)
            if likeness > ALIKE:
                return f"like {where} (correlation {likeness:.2f})"
        return ""


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _digest(image: npt.NDArray[np.uint8]) -> bytes:
    shape = "x".join(map(str, image.shape)).encode()
    return hashlib.blake2b(image.tobytes(), digest_size=16, key=shape).digest()


def _look(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Grey levels at a small size, as a vector of mean 0 and length 1 (0 for a crop of one grey)."""
    small = Image.fromarray(image).convert("L").resize(_SIZE, Image.Resampling.BOX)
    grey: npt.NDArray[np.float32] = np.asarray(small, dtype=np.float32).ravel()
    grey = grey - grey.mean()
    length = np.linalg.norm(grey)
    return np.zeros_like(grey) if length < 1 else grey / np.float32(length)
