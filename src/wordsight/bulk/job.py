"""A job from its start, or from where it was stopped, to its end."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from wordsight.bulk.folder import Folder
from wordsight.bulk.plan import Plan, read_shards
from wordsight.bulk.rows import row_reader, try_out
from wordsight.bulk.sources import digest, listed
from wordsight.errors import ConfigError
from wordsight.parallel import Pool
from wordsight.runtime import shipped_models
from wordsight.runtime.sessions import processors
from wordsight.spec import ReaderSpec

Engine: TypeAlias = Literal["local", "ray"]


@dataclass(frozen=True)
class Progress:
    """How far a job has come or, with `shard`, this machine's share of it.

    Attributes:
        total: number of pictures.
        done: pictures that were read or found to be unreadable, in this run or before.
        failed: those of `done` that have an error.
        read: pictures that this run has processed.
        seconds: time since this run started reading.
    """

    total: int
    done: int
    failed: int
    read: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return self.read / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time left at this rate; None while there is no rate yet."""
        return (self.total - self.done) / self.rate if self.rate else None


def run(
    source: str | Path,
    out: str | Path,
    spec: ReaderSpec | None = None,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    shard_size: int = 1000,
    shard: tuple[int, int] = (0, 1),
    retry_failed: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Progress:
    """Reads those pictures of `source` into `out` that are not there yet.

    Whatever ends it, the same call resumes: parts are written atomically, and finished ones are not read
    again. Call it under `if __name__ == "__main__":`, as it starts processes.

    Args:
        source: see `wordsight.bulk.listed`.
        out: a folder, or an fsspec URL of one. It belongs to one job: the same pictures, options, model and version.
        spec: the options of the readers; None: the default model.
        engine: "local": processes on this machine. "ray": Ray Data, on the cluster that RAY_ADDRESS names or that this
            machine is a node of, otherwise on this machine; `source` and `out` must be the same for all nodes.
        workers: number of reading processes; None: one per processor.
        shard_size: pictures per part.
        shard: (i, n) makes only the parts numbered i, i + n, i + 2n, ..., from 0: for n machines that share the folder
            without knowing of each other.
        retry_failed: also read pictures again that have an error.
        watch: called once before anything is read, then for every picture (with Ray, for every part) that was read.

    Returns:
        The final progress.

    Raises:
        DataError: the source cannot be listed or has no pictures, or a part cannot be written.
        ConfigError: the folder belongs to another job, or an option is out of range or cannot be used.
        ModelError: there is no such model or detector, or it is damaged.
        WorkerError: no reading process could be started.
    """
    index, count = shard
    _check("shard_size", shard_size >= 1, "at least 1")
    _check("workers", workers is None or workers >= 1, "at least 1, or None")
    _check("shard", 0 <= index < count, "(i, n) with 0 <= i < n")
    _check("engine", engine in ("local", "ray"), "local or ray")
    spec = spec or ReaderSpec()
    configuration = spec.configuration()  # first, as its errors name the model as it was given
    if str(spec.model) not in shipped_models():
        spec = replace(spec, model=Path(spec.model).absolute())  # the workers of a cluster stand elsewhere
    uris = listed(source)
    folder = Folder(out)
    if not folder.claimed:
        try_out(spec)  # else a mistake in the options would claim it, and the corrected job be refused
    folder.claim({**configuration, "pictures": len(uris), "list": digest(uris), "shard_size": shard_size})

    plan = Plan(uris, folder.root, spec, shard_size)
    mine = range(index, len(plan), count)
    parts = {number: part for number, part in folder.parts().items() if number in mine}
    parts = {number: part for number, part in parts.items() if part.rows == plan.size(number)}
    failed = [number for number in parts if parts[number].failed and retry_failed]
    unread = sum(parts[number].failed for number in failed)
    progress = Progress(
        sum(map(plan.size, mine)),
        sum(part.rows for part in parts.values()) - unread,
        sum(part.failed for part in parts.values()) - unread,
    )
    todo = [number for number in mine if number not in parts] + failed
    if watch:
        watch(progress)
    begun = time.monotonic()
    for has_failed in _readings(replace(plan, again=frozenset(failed)), todo, engine, workers):
        progress = replace(
            progress,
            done=progress.done + len(has_failed),
            failed=progress.failed + sum(has_failed),
            read=progress.read + len(has_failed),
            seconds=time.monotonic() - begun,
        )
        if watch:
            watch(progress)
    if len(folder.numbers()) == len(plan):
        folder.sweep()
    return progress


def _readings(plan: Plan, todo: Sequence[int], engine: Engine, workers: int | None) -> Iterator[Sequence[bool]]:
    """Makes the parts. Yields for pictures that were read whether they failed."""
    if not todo:
        return
    if engine == "ray":
        from wordsight.bulk.on_ray import read_on_ray

        yield from read_on_ray(plan, todo, workers)
        return
    workers = min(workers or processors(), sum(map(plan.size, todo)))
    with Pool(partial(row_reader, plan.spec), workers) as pool:
        for has_failed in read_shards(plan, todo, pool):
            yield (has_failed,)


def _check(name: str, good: bool, wanted: str) -> None:
    if not good:
        raise ConfigError(f"{name} must be {wanted}")
