"""`wordsight bulk`."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import typer

from wordsight.cli import options
from wordsight.cli.app import app
from wordsight.cli.options import chosen_dictionary, refuse, say, word_list
from wordsight.cli.progress import progress_bar
from wordsight.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from wordsight.bulk import Progress

_EVERY = 30.0  # seconds between two lines of progress where there is no terminal


@app.command()
def bulk(
    source: str = typer.Argument(
        help="Read this folder, glob, WebDataset tars, or text or Parquet file that lists paths, or the URL of one."
    ),
    out: str = typer.Option(..., "--out", "-o", metavar="DIR", help="Write the parts here: a path or a URL."),
    engine: Literal["local", "ray"] = typer.Option(
        "local", help="Run on processes of this machine or on a Ray cluster."
    ),
    workers: int | None = typer.Option(
        None, min=1, help="Read in this many processes of one thread. Default: one per processor."
    ),
    shard_size: int = typer.Option(1000, min=1, help="Write this many pictures into a part."),
    shard: str = typer.Option(
        "0/1",
        metavar="I/N",
        help="Make only every N-th part, starting at I (0 to N - 1): on N machines, give each its own I.",
    ),
    retry_failed: bool = typer.Option(False, "--retry-failed", help="Read failed pictures again."),
    metrics_port: int | None = typer.Option(
        None, min=1, max=65535, help="Serve Prometheus metrics on this port, on all addresses."
    ),
    model: options.ModelName = options.DEFAULT_MODEL,
    min_confidence: options.MinConfidence = None,
    mode: options.DecodingMode = "adaptive",
    allow: options.Allow = None,
    pattern: options.Pattern = None,
    lexicon: options.Lexicon = None,
    dictionary: options.DictionaryFile = None,
    no_dictionary: options.NoDictionary = False,
    max_pixels: options.MaxPixels = 100_000_000,
) -> None:
    """Read any number of pictures into Parquet files. If stopped or killed, the same command resumes.

    Exit status: 0 all were read; 1 some were not (see their rows), none are there, or it had to stop; 2 invalid usage.
    """
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal()):
        refuse(f"--shard {shard}: give two numbers, as in 0/100")
    known = chosen_dictionary(dictionary, no_dictionary)
    words = word_list(lexicon) if lexicon else None
    try:
        from wordsight.bulk import ReaderSpec, run

        with _watched(metrics_port) as watch:
            progress = run(
                source,
                out,
                ReaderSpec(
                    model,
                    max_pixels=max_pixels,
                    min_confidence=min_confidence,
                    mode=mode,
                    allow=allow,
                    pattern=pattern,
                    lexicon=words,
                    dictionary=known,
                ),
                engine=engine,
                workers=workers,
                shard_size=shard_size,
                shard=(int(index), int(count)),
                retry_failed=retry_failed,
                watch=watch,
            )
    except (ConfigError, ModelError) as error:
        refuse(str(error))
    say(f"{out}: {progress.done - progress.failed} read, {progress.failed} failed")
    if progress.failed:
        say("the column error says why; --retry-failed reads them again")
        raise typer.Exit(1)


@contextlib.contextmanager
def _watched(metrics_port: int | None) -> Iterator[Callable[["Progress"], None]]:
    """What shows progress: a bar on a terminal, a line now and then elsewhere, and to Prometheus what it asks for."""
    from rich.progress import TextColumn

    from wordsight.bulk.metrics import metrics

    measured = metrics(metrics_port) if metrics_port else None
    last = time.monotonic()
    with progress_bar(TextColumn("{task.fields[rate]}")) if sys.stderr.isatty() else contextlib.nullcontext() as bar:
        if bar:
            bar.add_task("Reading", rate="")

        def watch(progress: "Progress") -> None:
            nonlocal last
            left = timedelta(seconds=round(progress.seconds_left or 0))
            rate = f"{progress.rate:.1f} a second, {left} left" if progress.read else ""
            if bar:
                bar.update(bar.task_ids[0], total=progress.total, completed=progress.done, rate=rate)
            elif progress.read and time.monotonic() - last >= _EVERY:
                last = time.monotonic()
                say(f"{progress.done} of {progress.total} pictures, {progress.failed} failed, {rate}")
            if measured:
                measured(progress)

        yield watch
