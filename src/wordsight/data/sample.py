"""Samples, the protocol of sources, and several sources as one."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from wordsight.data.links import SceneLink


@dataclass(frozen=True, eq=False)
class Sample:
    """A word crop and its label.

    Attributes:
        id: unique within its data set: a file name, the key of an archive, or scene and word number.
        image: uint8 RGB (H, W, 3).
        text: the label as given, not normalised; empty if the crop shows no text.
        legible: false if the organisers mark the word as illegible; such words are neither scored nor trained on.
        script: ISO 15924 code, empty if unknown.
        dataset: name of the data set, for tables.
        split: "train", "test", ..., empty if unknown.
        problem: why the original sample cannot be read, if this one replaces it (`SkipBroken`).
        link: the photograph that it was cut from, and where; None if unknown, as in archives of words.
    """

    id: str
    image: npt.NDArray[np.uint8]
    text: str
    legible: bool = True
    script: str = ""
    dataset: str = ""
    split: str = ""
    problem: str = ""
    link: SceneLink | None = None


@runtime_checkable
class Source(Protocol):
    """A finite, indexable set of samples. Reading sample i twice gives the same sample, in any process."""

    def __len__(self) -> int:
        """Number of samples."""

    def text(self, i: int, /) -> str:
        """Label of sample i, without decoding its image."""

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i, 0 <= i < len."""


class JoinedSource:
    """The samples of `parts`, part by part, as a folder with many archives below it opens."""

    def __init__(self, parts: Sequence[Source], *, dataset: str = "") -> None:
        self.parts = tuple(parts)
        self.dataset = dataset
        self.starts = (0, *accumulate(map(len, self.parts)))  # of each part, and the end of the last one

    def locate(self, i: int) -> tuple[int, int]:
        """(number of the part, number of the sample in it) of sample i."""
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        part = bisect_right(self.starts, i) - 1  # never an empty part
        return part, i - self.starts[part]

    def __len__(self) -> int:
        return self.starts[-1]

    def text(self, i: int) -> str:
        """Label of sample i."""
        part, k = self.locate(i)
        return self.parts[part].text(k)

    def __getitem__(self, i: int) -> Sample:
        """Sample i."""
        part, k = self.locate(i)
        return self.parts[part][k]
