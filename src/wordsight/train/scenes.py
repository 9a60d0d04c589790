"""The scenes of a batch: which crop needs which, and their tokens from a frozen encoder.

Workers send what identifies a scene and how to get at it, not its pixels; tokens are made in the training process.
There is the GPU, there is one cache in memory and not one for each worker, and after the first time round a scene is
nothing but a look-up.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from wordsight.data import SceneView
from wordsight.data.controls import Mode
from wordsight.data.links import Pixels
from wordsight.errors import DataError
from wordsight.imaging.geometry import WHOLE, Box
from wordsight.models.clipter import ClipterConfig, SceneContext
from wordsight.models.clipter.cache import SceneCache
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.clipter.untrained import untrained

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneUse:
    """What training does with the scenes that samples are linked to.

    Attributes:
        told: whether the recognizer takes them; otherwise batches have none.
        dropout: probability that a word's scene is left out.
        jitter: standard deviation of the shift of a box's corners, in heights of the word.
        padding: each side of a box moves outwards by up to this many heights of the word.
    """

    told: bool = False
    dropout: float = 0.0
    jitter: float = 0.0
    padding: float = 0.0


@dataclass(frozen=True)
class ScenePart:
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
    def of(cls, shown: Sequence[tuple[SceneView, Box] | None]) -> "ScenePart":
        """Those of crops, None for the null scene.

        Raises:
            DataError: a photograph's file cannot be read.
        """
        views: dict[str, SceneView] = {}
        numbers: dict[str, int] = {}
        index = torch.zeros(len(shown), dtype=torch.int64)
        present, boxes = torch.zeros(len(shown)), torch.tensor([WHOLE]).repeat(len(shown), 1)
        for row, one in enumerate(shown):
            if one is None:
                continue
            view, box = one
            key = view.key
            views.setdefault(key, view)
            index[row] = numbers.setdefault(key, len(numbers))
            present[row] = 1.0
            boxes[row] = torch.tensor(box)
        return cls(tuple(views.values()), index, present, boxes)

    @property
    def available(self) -> int:
        """How many of the crops have a scene."""
        return int(self.present.sum())

    def pin_memory(self) -> "ScenePart":
        """For quick copies to a GPU."""
        index, present, boxes = (x.pin_memory() for x in (self.index, self.present, self.boxes))
        return replace(self, index=index, present=present, boxes=boxes)

    def to(self, device: torch.device, non_blocking: bool = True) -> "ScenePart":
        """On another device."""
        index, present, boxes = (
            x.to(device, non_blocking=non_blocking) for x in (self.index, self.present, self.boxes)
        )
        return replace(self, index=index, present=present, boxes=boxes)


class SceneTokens:
    """A frozen scene encoder with its cache. No module, so that no optimiser and no checkpoint ever sees it.

    Args:
        cfg: which encoder, and how its tokens are pooled.
        mode: the control under which scenes are shown; "random-encoder" needs an untrained encoder.
        seed: of that encoder.
        folder: where tokens are kept from run to run, None: nowhere.
        memory: bytes of tokens to keep in memory.

    Raises:
        ConfigError: the encoder does not go with the configuration or the control.
        ModelError: it cannot be loaded.
    """

    def __init__(
        self,
        cfg: ClipterConfig,
        *,
        mode: Mode = "real",
        seed: int = 0,
        folder: Path | None = None,
        memory: int = 1 << 30,
    ) -> None:
        encoder = SceneEncoder.of(cfg)
        self.encoder = untrained(encoder, seed) if mode == "random-encoder" else encoder
        self.cache = SceneCache(self._encode, self.encoder.identity, memory=memory, folder=folder)

    def context(self, part: ScenePart) -> SceneContext:
        """What a recognizer is told: the scenes' tokens, on the device of `part`.

        A scene that cannot be read is the null scene for its words.
        """
        device = part.index.device
        self.encoder.to(device)
        tokens, broken = [], []
        with torch.autocast(device.type, enabled=False):  # tokens are the same in all precisions
            for number, view in enumerate(part.views):
                try:
                    tokens.append(self.cache.tokens([view]))
                except DataError as error:
                    _log.warning("no scene: %s", error)
                    broken.append(number)
            there = torch.cat(tokens) if tokens else torch.zeros(1, 1, self.encoder.width)
        if broken:
            part = _without(part, broken)
        there = there.to(device, non_blocking=True).float()
        return SceneContext(there, part.index, part.present, part.boxes)

    def _encode(self, pixels: Pixels) -> Tensor:
        return self.encoder.encode([pixels])[0]


def _without(part: ScenePart, broken: list[int]) -> ScenePart:
    gone = torch.zeros(len(part.views), dtype=torch.bool, device=part.index.device)
    gone[broken] = True
    numbers = (~gone).cumsum(0) - 1  # of the others when they stand alone
    lost = gone[part.index] & (part.present > 0)
    return ScenePart(
        tuple(view for number, view in enumerate(part.views) if number not in broken),
        torch.where(lost, 0, numbers[part.index].clamp(min=0)),
        part.present.masked_fill(lost, 0.0),
        part.boxes,
    )
