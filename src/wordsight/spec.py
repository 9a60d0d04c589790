"""The options of a reader, in a form that can be sent to other processes and machines."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from wordsight import __version__
from wordsight import reader as room
from wordsight.decoding import Mode
from wordsight.detect.packs import DEFAULT as DETECTOR
from wordsight.imaging import MAX_PIXELS
from wordsight.runtime import find_model
from wordsight.runtime.models import DEFAULT
from wordsight.runtime.pack import MANIFEST, sha256

_HOW = frozenset({"model", "device", "threads", "batch_size"})  # these do not change what is read


@dataclass(frozen=True)
class ReaderSpec:
    """The options of a `Reader`, see there. It can be pickled and hashed, to make the same reader elsewhere.

    `threads` defaults to 1: one process per processor, with one thread each, has the highest throughput.
    """

    model: str | Path = DEFAULT
    device: str = "cpu"
    threads: int | None = 1
    detector: str | Path = DETECTOR
    max_side: int | None = None
    max_pixels: int = MAX_PIXELS
    min_confidence: float | None = None
    batch_size: int = 32
    mode: Mode = "adaptive"
    allow: str | None = None
    pattern: str | None = None
    lexicon: Iterable[str] | None = None
    dictionary: str | Iterable[str] | None = "english"
    tta: bool = False

    def __post_init__(self) -> None:
        for name in ("lexicon", "dictionary"):
            if not isinstance(value := getattr(self, name), str | None):
                object.__setattr__(self, name, tuple(value))

    def reader(self) -> room.Reader:
        """A reader with these options. Raises what `Reader` does."""
        return room.Reader(**{field.name: getattr(self, field.name) for field in fields(self)})

    def configuration(self) -> dict[str, Any]:
        """Everything that influences the results, as JSON values: two jobs can share a folder if this is equal.

        Raises:
            ModelError: there is no such model.
        """
        pack = find_model(self.model)
        options = {k: _short(v) for k, v in asdict(self).items() if k not in _HOW}
        return {"version": __version__, "model": pack.name, "sha256": sha256(pack / MANIFEST), "options": options}


def _short(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, tuple):
        return value
    return {"words": len(value), "sha256": hashlib.sha256("\n".join(value).encode()).hexdigest()}
