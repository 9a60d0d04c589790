"""A photograph's other words as the context of a word: as a recognizer reads them, embedded by its text tower."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wordsight.data.scenes import Scene
from wordsight.errors import BoxError, ConfigError
from wordsight.imaging import batches, rectify
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft.files import fingerprint
from wordsight.models.reading import TorchRecognizer

PREFIX = "words:"
"""Of an encoder's name: the rest is the checkpoint folder of a CLIP4STR."""

SURE = 0.9
"""Words that were read with at least this confidence are told."""

MOST = 8
"""As many of them, the surest."""

_BATCH = 64


class OtherWords(nn.Module):
    """What a recognizer is sure to read in the outlined words of a photograph, but for one word.

    It takes the place of a `SceneEncoder` where words are outlined, which is in evaluation.

    Args:
        start: reads by its visual branch and embeds by its text tower.
    """

    def __init__(self, start: Clip4Str) -> None:
        super().__init__()
        self.start = start.requires_grad_(False).eval()
        self.width = start.cfg.embed_dim
        self.identity = f"other words:{fingerprint(start.state_dict())[:12]}:{SURE}:{MOST}"
        self._read: dict[str, list[tuple[int, float, Tensor]]] = {}

    def encode(self, scenes: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Pixels alone do not say where words are.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("this model is told the other words of a photo, by their outlines: only `eval` has them")

    def forget(self) -> None:
        """Read photographs again, as for measuring."""
        self._read.clear()

    def tokens(self, photo: Scene, word: int) -> Tensor | None:
        """(1 + MOST, D): the mean and the surest others in turn, from the first again if fewer; None without any.

        Raises:
            DataError: the photograph cannot be read.
        """
        if photo.digest not in self._read:
            self._read[photo.digest] = self._sure(photo)
        others = [(sure, vector) for number, sure, vector in self._read[photo.digest] if number != word]
        if not others:
            return None
        best = [vector for _, vector in sorted(others, key=lambda one: -one[0])[:MOST]]
        return torch.stack([torch.stack(best).mean(0), *(best[i % len(best)] for i in range(MOST))])

    @torch.inference_mode()
    def _sure(self, photo: Scene) -> list[tuple[int, float, Tensor]]:
        """Number, confidence and embedding of the words that are surely read."""
        pixels, crops, numbers = photo.load(), [], []
        for number, word in enumerate(photo.words):
            if word.legible:
                try:
                    crops.append(rectify(pixels, word.polygon))
                except BoxError:
                    continue
                numbers.append(number)
        recognizer, found = TorchRecognizer(self.start, cross=False), []
        for rows, images in batches(crops, self.start.cfg.preprocessing, _BATCH):
            for row, reading in zip(rows, recognizer.read(images), strict=True):
                if reading.text and reading.confidence >= SURE:
                    found.append((numbers[row], reading.confidence, reading.text))
        if not found:
            return []
        tokens = torch.from_numpy(self.start.caption_tokenizer.encode([text for *_, text in found])[0])
        ends = (tokens == self.start.tokenizer.eos).int().argmax(1)
        embedded = self.start.text_tower(tokens)[torch.arange(len(tokens)), ends]
        return [(number, sure, vector) for (number, sure, _), vector in zip(found, embedded, strict=True)]
