"""Which samples of a source can be trained on; for LMDB archives, which may hold millions, cached in a file."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordsight.data.labels import rejection
from wordsight.data.lmdb import LmdbSource
from wordsight.data.sample import JoinedSource, Source
from wordsight.errors import DataError
from wordsight.files import cache_folder, replacing
from wordsight.text import Charset

log = logging.getLogger(__name__)

_VERSION = 1  # increase it when the rules of data/labels.py change
_REASONS = ("empty", "too long", "unknown characters")


@dataclass(frozen=True, eq=False)
class LabelIndex:
    """Samples whose labels are usable, uint32 (n,) ascending, and the number of the others by reason."""

    indices: npt.NDArray[np.uint32]
    dropped: dict[str, int]


def label_index(source: Source, charset: Charset, max_length: int) -> LabelIndex:
    """The usable samples of a source, archive by archive.

    An archive's index is written beside its `data.mdb`, or to the user's cache folder if that is not writable, and is
    valid as long as the archive's size and time, the charset and the other rules are the same. A damaged one is
    rebuilt. Several processes may build it at the same time.
    """
    if isinstance(source, JoinedSource):
        found = [label_index(part, charset, max_length) for part in source.parts]
        indices = [index.indices + np.uint32(start) for index, start in zip(found, source.starts, strict=False)]
        dropped = Counter(dict.fromkeys(_REASONS, 0))
        for index in found:
            dropped.update(index.dropped)
        return LabelIndex(np.concatenate([np.empty(0, np.uint32), *indices]), dict(dropped))
    if not isinstance(source, LmdbSource):
        return _scan(source, charset, max_length)
    rules = [_VERSION, charset.hash, max_length]
    state = source.file.stat()
    key = json.dumps([*rules, len(source), state.st_size, state.st_mtime_ns])
    places = _places(source.file, json.dumps(rules))
    for place in places:
        if (kept := _load(place, key, len(source))) is not None:
            return kept
    log.info("%s: reading %d labels, once", source.file.parent, len(source))
    index = _scan(source, charset, max_length)
    if not any(_store(place, key, index) for place in places):
        log.warning("%s: its index cannot be saved anywhere, so its labels are read at every start", source.file.parent)
    return index


def _labels(source: Source) -> Iterator[tuple[int, str]]:
    if isinstance(source, LmdbSource):
        yield from source.labels()
        return
    for i in range(len(source)):
        try:
            yield i, source.text(i)
        except DataError:
            continue


def _scan(source: Source, charset: Charset, max_length: int) -> LabelIndex:
    indices = []
    dropped = Counter(dict.fromkeys(_REASONS, 0))
    seen = 0
    for i, given in _labels(source):
        seen += 1
        if reason := rejection(given, charset, max_length):
            dropped[reason] += 1
        else:
            indices.append(i)
    if seen < len(source):
        dropped["unreadable label"] = len(source) - seen
    return LabelIndex(np.array(indices, dtype=np.uint32), dict(dropped))


def _places(archive: Path, rules: str) -> tuple[Path, Path]:
    """Where an index may be: beside its archive, or in the user's cache folder."""
    here, there = (
        hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for text in (rules, f"{archive} {rules}")
    )
    return archive.with_name(f"wordsight-index-{here}.npz"), cache_folder() / f"labels-{there}.npz"


def _load(file: Path, key: str, count: int) -> LabelIndex | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            if stored["key"].item() != key:
                return None
            indices = stored["indices"]
            dropped = {str(reason): int(n) for reason, n in zip(stored["reasons"], stored["counts"], strict=True)}
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged zip or array raises any of eight classes
        log.warning("%s: cannot be used (%s) and is rebuilt", file, error)
        return None
    if indices.dtype != np.uint32 or indices.ndim != 1 or len(indices) + sum(dropped.values()) != count:
        return None
    return LabelIndex(indices, dropped)


def _store(file: Path, key: str, index: LabelIndex) -> bool:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as new:
            np.savez(
                new,
                key=np.array(key),
                indices=index.indices,
                reasons=np.array(list(index.dropped)),
                counts=np.array(list(index.dropped.values()), dtype=np.int64),
            )
    except OSError as error:
        log.info("%s: not written (%s)", file, error)
        return False
    return True
