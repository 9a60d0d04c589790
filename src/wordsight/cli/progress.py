"""A progress bar for long work."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from wordsight.cli.options import leaving_out, say

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from wordsight.data import Sample, Source

T = TypeVar("T")

_PATIENCE = 2.0  # seconds; what is done by then needs no bar
_EVERY = 30.0  # seconds between two lines of progress where there is no terminal


def progress(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    """Passes items on and, once they take more than two seconds, shows a bar on standard error if it is a terminal.

    Lines written to `sys.stderr` meanwhile stand above the bar.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import TimeRemainingColumn

    bar = progress_bar(TimeRemainingColumn())
    task = bar.add_task(label, total=total)
    start = time.monotonic()
    shown = False
    try:
        for item in items:
            if not shown and time.monotonic() - start > _PATIENCE:
                bar.start()
                shown = True
            yield item
            bar.advance(task)
    finally:
        if shown:
            bar.stop()


def progress_bar(last: "ProgressColumn") -> "Progress":
    """A bar on standard error, with what is shown, how much of it is done, and a last column."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), last)
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)


def samples(source: "Source", label: str, what: str = "left out") -> "Iterator[Sample]":
    """The samples of a source with `progress`, without those that cannot be read, of which it says so."""
    for i in progress(range(len(source)), len(source), label):
        with leaving_out(what):
            yield source[i]


def progress_or_lines(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    """Like `progress`; where there is no terminal, a line every half minute, for work that is watched in a log."""
    if sys.stderr.isatty():
        yield from progress(items, total, label)
        return
    last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            say(f"{label}: {done}" if total is None else f"{label}: {done} of {total}")
