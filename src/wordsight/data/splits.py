"""Training and validation parts of scenes, by scene: words of one photograph never come to both sides."""

import hashlib

from wordsight.data.mixing import View
from wordsight.data.scenes import ScenesSource
from wordsight.errors import ConfigError


def fold(source: ScenesSource, number: int, of: int, *, seed: int = 0) -> tuple[View, View]:
    """(training, validation) parts of `source`: the words of fold `number` of `of` are the validation part.

    Scenes are dealt to the folds in an order that is a function of the seed and their ids alone: folds have equally
    many scenes (to one), each scene is in one of them, and the order of the file does not matter.

    Raises:
        ConfigError: there is no such fold, or fewer scenes than folds.
    """
    if not 0 <= number < of:
        raise ConfigError(f"there is no fold {number} of {of}: count from 0")
    if of > len(source.scenes):
        raise ConfigError(f"{len(source.scenes)} scenes cannot be split into {of} folds: ask for fewer")
    held = set(scene_order(source, seed)[number::of])
    parts: tuple[list[int], list[int]] = ([], [])
    for i, (scene, _) in enumerate(source.words):
        parts[scene in held].append(i)
    return View(source, parts[0]), View(source, parts[1])


def scene_order(source: ScenesSource, seed: int = 0) -> list[int]:
    """Numbers of all scenes in a random order that is a function of (seed, data set, split, id) of each."""

    def key(number: int) -> tuple[str, int]:
        scene = source.scenes[number]
        name = f"{seed}/{scene.dataset}/{scene.split}/{scene.id or scene.image.name}"
        return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest(), number

    return sorted(range(len(source.scenes)), key=key)
