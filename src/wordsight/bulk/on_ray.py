"""A job on a Ray cluster: Ray Data hands out shards, and again where a worker or a node is lost."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before it is imported: nothing is to be reported to anyone

import ray
import ray.data

from wordsight import errors
from wordsight.bulk.plan import Plan, read_shards
from wordsight.bulk.rows import row_reader
from wordsight.errors import WordsightError, WorkerError
from wordsight.parallel import Pool


def read_on_ray(plan: Plan, todo: Sequence[int], workers: int | None) -> Iterator[Sequence[bool]]:
    """Makes the parts of these shards. Yields for each whether the pictures that were read for it failed.

    What is done is decided by the parts in the folder alone, not by what Ray knows: a part that is made twice, because
    its node only seemed to be lost, is the same part.

    Raises:
        WordsightError: what stopped a worker.
        WorkerError: there is no such cluster, or it fails.
    """
    try:
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        shards = ray.data.from_items([{"shard": number} for number in todo], override_num_blocks=len(todo))
        done = shards.map_batches(
            _Maker,
            fn_constructor_args=(replace(plan, uris=None), ray.put(plan.uris)),
            batch_size=1,
            num_cpus=1,
            # One shard at a time, so that none waits at one worker while another has nothing to do. Workers for which
            # there is no processor yet, or no more, wait for one.
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(todo)), max_tasks_in_flight_per_actor=1),
        )
        for row in done.iter_rows():
            if row["error"]:
                raise getattr(errors, row["error"])(row["message"])
            yield row["failed"]
    except WordsightError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[-300:]
        raise WorkerError(
            f"Ray stopped working ({type(error).__name__}: {text}): check the cluster, then run the command again"
        ) from None


class _Maker:
    """An actor that makes one part at a time. A process of its own reads, so that a crash costs one picture."""

    def __init__(self, plan: Plan, uris: Any) -> None:
        self._plan = replace(plan, uris=ray.get(uris))
        self._pool = Pool(partial(row_reader, plan.spec), 1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        try:
            failed = list(read_shards(self._plan, [int(number) for number in batch["shard"]], self._pool))
        except WordsightError as error:  # said in words: what Ray makes of an exception has lost its cause
            return {"failed": [[]], "error": [type(error).__name__], "message": [str(error)]}
        return {"failed": [failed], "error": [""], "message": [""]}
