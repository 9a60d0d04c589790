"""Tall crops, in which most words lie on their side."""

from dataclasses import replace

import numpy as np
from PIL import Image

from wordsight.data.sample import Sample, Source
from wordsight.imaging.geometry import FEW, TALL


class Turned:
    """`source` with its tall crops of more than two characters turned by a quarter, to the right.

    A reader turns tall boxes to either side. One that has learned them as they stand, squeezed into the shape of its
    input, takes other tall boxes for the few that it knows. Of 127 such training crops of IIIT5K, SVT, ICDAR 2003 and
    2015 text runs upwards in most, so that a turn to the right makes it level; where it runs down, it ends up
    upside down, as some rendered words are, too. Links to scenes are left as they are.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def text(self, i: int, /) -> str:
        """Label of sample i."""
        return self.source.text(i)

    def __getitem__(self, i: int, /) -> Sample:
        """Sample i."""
        sample = self.source[i]
        height, width = sample.image.shape[:2]
        if height <= TALL * width or len(sample.text) <= FEW:
            return sample
        return replace(sample, image=np.ascontiguousarray(np.rot90(sample.image, 3)))


def rotated(sample: Sample, degrees: float) -> Sample:
    """A sample turned anticlockwise on a canvas that holds all of it, black around, as PARSeq's evaluation turns."""
    if not degrees:
        return sample
    image = Image.fromarray(sample.image).rotate(degrees, Image.Resampling.NEAREST, expand=True)
    return replace(sample, image=np.asarray(image))
