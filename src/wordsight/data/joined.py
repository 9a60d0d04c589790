"""Several sources one after the other, as one."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from wordsight.data.sample import Sample, Source


class JoinedSource:
    """The samples of `parts`, part by part: what a folder with many archives below it opens as."""

    def __init__(self, parts: Sequence[Source], *, dataset: str = "") -> None:
        self.parts = tuple(parts)
        self.dataset = dataset
        self.starts = (0, *accumulate(map(len, self.parts)))  # of each part, and where the last one ends

    def locate(self, i: int) -> tuple[int, int]:
        """(number of the part, number of the sample in it) of sample i."""
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        part = bisect_right(self.starts, i) - 1  # past empty parts, too
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
