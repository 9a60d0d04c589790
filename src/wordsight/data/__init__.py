"""Samples, where they come from and how they are mixed."""

from wordsight.data.augment import augment
from wordsight.data.folder import FolderSource
from wordsight.data.links import SceneLink, SceneView
from wordsight.data.lmdb import LmdbSource
from wordsight.data.mixing import (
    Mixture,
    SkipBroken,
    TrainableLabels,
    View,
    filter_labels,
    holdout,
    show_scenes,
    subset,
)
from wordsight.data.randaugment import rand_augment
from wordsight.data.sample import JoinedSource, Sample, Source
from wordsight.data.scene_words import ScenesSource
from wordsight.data.scenes import Scene, SceneWord, read_scenes
from wordsight.data.sources import OpenedSource, find_sources, open_source

__all__ = [
    "FolderSource",
    "JoinedSource",
    "LmdbSource",
    "Mixture",
    "OpenedSource",
    "Sample",
    "Scene",
    "SceneLink",
    "SceneView",
    "SceneWord",
    "ScenesSource",
    "SkipBroken",
    "Source",
    "TrainableLabels",
    "View",
    "augment",
    "filter_labels",
    "find_sources",
    "holdout",
    "open_source",
    "rand_augment",
    "read_scenes",
    "show_scenes",
    "subset",
]
