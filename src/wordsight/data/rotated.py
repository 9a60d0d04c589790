"""Rotated crops: tall ones, in which most words lie on their side, and those of PARSeq's rotated evaluation."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from wordsight.data.sample import Sample, Source
from wordsight.imaging.geometry import FEW, TALL


@dataclass(eq=False)
class RotatedTall:
    """`source` with tall crops of more than two characters rotated clockwise by 90 degrees.

    A reader tries tall boxes in both rotations. A recognizer trained on them unrotated, squeezed into its input shape,
    mistakes other tall boxes for the few that it has seen. In most of 127 such training crops of IIIT5K, SVT, ICDAR
    2003 and 2015 text runs upwards, so this makes it level; text that runs down ends up upside down, as some rendered
    words do. Links to scenes are not changed.
    """

    source: Source

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
    """A sample rotated anticlockwise on a black canvas that holds all of it, as in PARSeq's evaluation."""
    if not degrees:
        return sample
    image = Image.fromarray(sample.image).rotate(degrees, Image.Resampling.NEAREST, expand=True)
    return replace(sample, image=np.asarray(image))
