"""Opens a data set by what it contains."""

from pathlib import Path

from wordsight.data.folder import FolderSource
from wordsight.data.lmdb import LmdbSource
from wordsight.data.scenes import ScenesSource
from wordsight.errors import DataError

# The file that marks each kind of source.
_KINDS: dict[str, type[FolderSource] | type[ScenesSource] | type[LmdbSource]] = {
    "labels.tsv": FolderSource,
    "scenes.jsonl": ScenesSource,
    "data.mdb": LmdbSource,
}


def open_source(path: str | Path, *, split: str = "") -> FolderSource | ScenesSource | LmdbSource:
    """The source at `path`: a folder that holds `labels.tsv`, `scenes.jsonl` or `data.mdb`, or one of those files.

    Raises:
        DataError: it is none of these, or broken.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: does not exist: check the path")
    for name, kind in _KINDS.items():
        if (path / name).is_file() or (path.is_file() and path.name == name):
            return kind(path, split=split)
    raise DataError(f"{path}: not a data set: it should hold one of {', '.join(_KINDS)}")
