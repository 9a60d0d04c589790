"""The scenes of a batch: which crop needs which, and their tokens from a frozen encoder.

Workers send what identifies a scene and how to get at it, not its pixels; tokens are made in the training process.
The GPU is there, one cache in memory is enough for all workers, and after the first epoch a scene is only a look-up.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wordsight.data import SceneView
from wordsight.errors import DataError
from wordsight.imaging.geometry import WHOLE, Box
from wordsight.models.clipter import SceneContext
from wordsight.train.movable import Movable
from wordsight.train.scene_cache import SceneCache

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneBatch(Movable):
    """The scenes of a batch of B crops, each once.

    Attributes:
        views: the N different scenes, in the order in which they first occur; there may be none.
        index: (B,) int64, which of them belongs to each crop; 0 for the null scene.
        present: (B,), 1.0 where there is a scene, 0.0 for the null scene.
        boxes: (B, 4), where each crop lies in its scene; all of it for the null scene.
    """

    views: tuple[SceneView, ...]
    index: Tensor
    present: Tensor
    boxes: Tensor

    @classmethod
    def of(cls, shown: Sequence[tuple[SceneView, Box] | None]) -> "SceneBatch":
        """The scenes of crops, None for the null scene.

        Raises:
            DataError: a photograph's file cannot be read.
        """
        views: dict[str, tuple[int, SceneView]] = {}
        index = torch.zeros(len(shown), dtype=torch.int64)
        present, boxes = torch.zeros(len(shown)), torch.tensor([WHOLE]).repeat(len(shown), 1)
        for row, one in enumerate(shown):
            if one is None:
                continue
            view, box = one
            index[row], _ = views.setdefault(view.key, (len(views), view))
            present[row] = 1.0
            boxes[row] = torch.tensor(box)
        return cls(tuple(view for _, view in views.values()), index, present, boxes)

    @property
    def available(self) -> int:
        """How many of the crops have a scene."""
        return int(self.present.sum())

    def encoded(self, cache: SceneCache) -> SceneContext:
        """What the recognizer is conditioned on, its tokens float32 and on the device of this.

        A scene that cannot be read is the null scene for its words.
        """
        device = self.index.device
        cache.encoder.to(device)
        tokens: list[Tensor] = []
        row = torch.zeros(max(1, len(self.views)), dtype=torch.int64)  # of `tokens`, by the number of the scene
        readable = torch.zeros(len(row))
        with torch.autocast(device.type, enabled=False):  # tokens are the same in all precisions
            for number, view in enumerate(self.views):
                try:
                    tokens.append(cache.tokens([view]))
                except DataError as error:
                    _log.warning("no scene: %s", error)
                    continue
                row[number], readable[number] = len(tokens) - 1, 1.0
            found = torch.cat(tokens) if tokens else torch.zeros(1, 1, cache.encoder.width)
        found, row, readable = (x.to(device, non_blocking=True) for x in (found, row, readable))
        return SceneContext(found.float(), row[self.index], self.present * readable[self.index], self.boxes)
