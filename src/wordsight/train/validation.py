"""What training validates on, and how it is scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from wordsight.data import Sample
from wordsight.decoding import Reading
from wordsight.evaluate.metrics import similarity
from wordsight.imaging import batches
from wordsight.models.clipter import SceneContext
from wordsight.models.reading import TorchRecognizer
from wordsight.text import Charset
from wordsight.train.movable import Movable
from wordsight.train.scenes import SceneBatch

_36 = Charset.preset("36")


def read(
    reader: TorchRecognizer, crops: Sequence[npt.NDArray[np.uint8]], context: SceneContext | None = None
) -> list[Reading]:
    """What a model reads on crops, given their scenes."""
    out = [Reading("", 0.0)] * len(crops)
    for numbers, images in batches(crops, reader.preprocessing, len(crops)):
        some = None if context is None else context[torch.tensor(numbers, device=context.index.device)]
        for number, reading in zip(numbers, reader.read(images, some), strict=True):
            out[number] = reading
    return out


@dataclass(frozen=True)
class Words(Movable):
    """Crops (uint8 RGB), their labels, and the scenes that they come from."""

    crops: list[npt.NDArray[np.uint8]]
    labels: list[str]
    scenes: SceneBatch

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "Words":
        """The crops, labels and scenes of samples."""
        links = [sample.link for sample in samples]
        shown = [(link.view, link.box) if link and link.view else None for link in links]
        return cls([sample.image for sample in samples], [sample.text for sample in samples], SceneBatch.of(shown))


@dataclass(frozen=True)
class Share:
    """Per cent of words read right, counted with the 36 lower-case letters and digits (`accuracy`) and exactly; 1-NED
    of the 36.
    """

    accuracy: float
    exact: float
    ned: float

    @classmethod
    def of(cls, readings: Sequence[Reading], labels: Sequence[str]) -> "Share":
        """The shares for some readings."""
        pairs = [(reading.text, label) for reading, label in zip(readings, labels, strict=True)]
        folded = [(_36.adapt(text), _36.adapt(label)) for text, label in pairs]
        right = (np.mean([text == label for text, label in some]) for some in (folded, pairs))
        near = np.mean([similarity(label, text) for text, label in folded])
        return cls(*(100 * float(share) for share in (*right, near)))
