"""The words of a training run as a set of hashes: eight bytes per word, small enough for a checkpoint."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = "words.u64"
"""In a checkpoint folder: sorted hashes, little-endian."""


class WordSet:
    """Words, ignoring case. With a million words, a false positive has a probability of 1e-13."""

    def __init__(self, hashes: npt.NDArray[np.uint64]) -> None:
        self.hashes = hashes

    @classmethod
    def of(cls, words: Iterable[str]) -> "WordSet":
        """The set of some words, which may be repeated."""
        distinct = {word.casefold() for word in words}
        return cls(np.unique(np.array([_hash(word) for word in distinct], dtype=np.uint64)))

    @classmethod
    def load(cls, folder: Path) -> "WordSet | None":
        """The set stored in a checkpoint folder; None if there is none."""
        file = folder / FILE
        return cls(np.fromfile(file, dtype="<u8").astype(np.uint64)) if file.is_file() else None

    def save(self, folder: Path) -> None:
        """Write it into a checkpoint folder."""
        self.hashes.astype("<u8").tofile(folder / FILE)

    def __or__(self, other: "WordSet") -> "WordSet":
        """Words of either."""
        return WordSet(np.union1d(self.hashes, other.hashes))

    def __contains__(self, word: str) -> bool:
        place = int(np.searchsorted(self.hashes, np.uint64(_hash(word.casefold()))))
        return place < len(self.hashes) and int(self.hashes[place]) == _hash(word.casefold())

    def __len__(self) -> int:
        return len(self.hashes)


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
