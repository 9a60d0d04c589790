"""What scene a word is shown with, and its tokens from an encoder, each picture encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from wordsight.data.controls import Mode, shuffled
from wordsight.data.links import SceneView
from wordsight.data.scenes import Scene
from wordsight.errors import ConfigError
from wordsight.models.clipter import SceneContext
from wordsight.train.scene_cache import SceneCache
from wordsight.train.scenes import SceneBatch
from wordsight_research.context.data import Words, place


@dataclass(frozen=True)
class View:
    """What scene words are shown with.

    Attributes:
        mode: what is done to its pixels.
        of: whose scene: the word's "own"; "other", each scene's words get those of one other scene; "misleading", one
            of the place that has the word most like this one: it suggests another reading (rendered scenes only).
    """

    mode: Mode = "real"
    of: Literal["own", "other", "misleading"] = "own"

    def __str__(self) -> str:
        whose = {"own": "", "other": "shuffled", "misleading": "misleading"}[self.of]
        return " ".join(filter(None, (whose, self.mode if self.mode != "real" or not whose else ""))) or "real"


@dataclass(frozen=True, eq=False)
class Told:
    """Scene tokens of words: `tokens` (N, M, D), of word i the row `index[i]`, `present[i]` 0 where it has none."""

    tokens: Tensor
    index: Tensor
    present: Tensor
    boxes: Tensor

    def rows(self, rows: Sequence[int] | np.ndarray, absent: Tensor | None = None) -> SceneContext:
        """The context of a batch of words; those in the mask `absent` get the null scene."""
        chosen = torch.as_tensor(np.asarray(rows))
        used, index = self.index[chosen].unique(return_inverse=True)
        present = self.present[chosen]
        if absent is not None:
            present = present * (~absent).float()
        return SceneContext(self.tokens[used].float(), index, present, self.boxes[chosen])


def scene_views(words: Words, view: View, seed: int = 0) -> list[SceneView | None]:
    """What each word's scene encoder is shown; None for the null scene.

    Raises:
        ConfigError: there is only one scene to shuffle, or none is misleading.
    """
    if view.mode == "none":
        return [None] * len(words)
    if view.of == "own":
        return [SceneView(s, int(n), view.mode, seed) for s, n in zip(words.scenes, words.numbers, strict=True)]
    if view.of == "other":
        scenes = dict(zip(words.of.tolist(), words.scenes, strict=True))
        partner = shuffled(map(str, scenes), seed)
        return [SceneView(scenes[int(partner[str(of)])], 0, view.mode, seed) for of in words.of.tolist()]
    by_place: dict[str, list[Scene]] = {}
    for scene in dict.fromkeys(words.scenes):
        by_place.setdefault(place(scene), []).append(scene)
    dice = np.random.default_rng(seed)
    out: list[SceneView | None] = []
    for label, (where, _) in zip(words.labels, rivals(words), strict=True):
        if where not in by_place:
            raise ConfigError(f"no scene is misleading about {label!r}: use more rendered scenes")
        scene = by_place[where][int(dice.integers(len(by_place[where])))]
        out.append(SceneView(scene, 0, view.mode, seed))
    return out


def rivals(words: Words) -> list[tuple[str, str]]:
    """For every word the word of another place that is most like it: (place, word)."""
    vocabulary: dict[str, dict[str, None]] = {}
    for scene in dict.fromkeys(words.scenes):
        vocabulary.setdefault(place(scene), {}).update(dict.fromkeys(word.text.casefold() for word in scene.words))
    everything = sorted({(word, where) for where, own in vocabulary.items() for word in own})

    @cache
    def nearest(label: str, own: str) -> tuple[str, str]:
        others = [(w, p) for w, p in everything if p != own and w != label and label not in vocabulary[p]]
        if not others:
            raise ConfigError("all scenes show the same place: none is misleading")
        word, where = min(others, key=lambda other: Levenshtein.distance(label, other[0]) / len(other[0]))
        return where, word

    return [nearest(label.casefold(), place(scene)) for label, scene in zip(words.labels, words.scenes, strict=True)]


def told(words: Words, view: View, cache: SceneCache, width: int, seed: int = 0) -> Told:
    """Tokens of the words under a view, `width` wide.

    Raises:
        DataError: a photograph cannot be read.
    """
    views = scene_views(words, view, seed)
    boxes = [tuple(map(float, box)) for box in words.boxes]
    part = SceneBatch.of([(v, box) if v else None for v, box in zip(views, boxes, strict=True)])  # type: ignore[misc]
    tokens = cache.tokens(part.views) if part.views else torch.zeros(1, 1, width, dtype=torch.float16)
    return Told(tokens, part.index, part.present, torch.from_numpy(words.boxes))
