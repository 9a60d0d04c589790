"""Opening a data set, whose kind is recognised by its files."""

import os
from pathlib import Path

from wordsight.data.folder import FolderSource
from wordsight.data.lmdb import LmdbSource
from wordsight.data.sample import JoinedSource
from wordsight.data.scene_words import ScenesSource
from wordsight.errors import DataError

# The file by which each kind of source is recognised.
_KINDS: dict[str, type[FolderSource] | type[ScenesSource] | type[LmdbSource]] = {
    "labels.tsv": FolderSource,
    "scenes.jsonl": ScenesSource,
    "data.mdb": LmdbSource,
}

OpenedSource = FolderSource | LmdbSource | ScenesSource | JoinedSource
"""What a path opens as."""


def open_source(path: str | Path, *, dataset: str = "") -> OpenedSource:
    """The source at `path`: a folder that holds `labels.tsv`, `scenes.jsonl` or `data.mdb`, or one of those files.

    A folder with such folders somewhere below it (the field's `train/real/**/data.mdb`) opens as all of them joined,
    in the order of their paths; `dataset` of a part is its path below the folder.

    Raises:
        DataError: it is none of these, or broken.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: does not exist: check the path")
    for name, kind in _KINDS.items():
        if (path / name).is_file() or (path.is_file() and path.name == name):
            return kind(path, dataset=dataset)
    folders = find_sources(path)
    if not folders:
        raise DataError(f"{path}: not a data set: it should hold one of {', '.join(_KINDS)}, itself or below")
    parts = [open_source(folder, dataset=folder.relative_to(path).as_posix()) for folder in folders]
    return JoinedSource(parts, dataset=dataset or path.resolve().name)


def find_sources(folder: Path) -> list[Path]:
    """The folders at or below `folder` that hold a data set, sorted; links are followed, each folder visited once."""
    found, seen = [], set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        if not _KINDS.keys().isdisjoint(files):
            found.append(Path(parent))
            folders.clear()
    return sorted(found)
