"""The memory of the cross-modal branch: the image, and the text of the visual prediction."""

from collections.abc import Sequence

import numpy as np

from wordsight.decoding import masks
from wordsight.decoding.arrays import KV, Floats
from wordsight.decoding.graphs import PsmGraphs
from wordsight.text import Captions


class CrossMemory:
    """Image and caption as one memory. Each distinct caption goes through the text tower once."""

    kv: KV
    """(B, depth, 2, L + longest S, D)"""
    mask: Floats
    """(B, L + longest S), additive: hides what is not there."""

    def __init__(self, graphs: PsmGraphs, kv_image: KV, captions: Captions) -> None:
        self.graphs = graphs
        self.kv_image = kv_image
        self.captions = captions
        self.passes = 0
        self._known: dict[bytes, int] = {}  # tokens of a caption to its number
        self._kv: list[KV] = []  # (depth, 2, S, D) of each
        self._told: list[int] = []

    def tell(self, readings: Sequence[str]) -> bool:
        """Updates `kv` and `mask` for new captions of all rows. Returns whether anything changed."""
        tokens, lengths = self.captions.encode(readings)
        keys = [row[:n].tobytes() for row, n in zip(tokens, lengths, strict=True)]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            self.passes += 1
            rows = list(new.values())
            kv_new = self.graphs.text(tokens[rows, : lengths[rows].max()])
            for i, key in enumerate(new):
                self._known[key] = len(self._kv)
                self._kv.append(kv_new[i][:, :, : lengths[rows[i]]])
        told = [self._known[key] for key in keys]
        if told == self._told:
            return False
        self._told = told
        image = self.kv_image.shape[3]
        sizes = np.array([image + self._kv[i].shape[2] for i in told])
        self.kv = self.graphs.join(self.kv_image, self._kv, np.array(told), sizes)
        self.mask = masks.padding(sizes, int(sizes.max()))
        return True
