"""A progress bar for long work."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 2.0  # seconds; what is done by then needs no bar


def progress(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    """Passes items on and, once they take more than two seconds, shows a bar on standard error if it is a terminal.

    Lines written to `sys.stderr` meanwhile stand above the bar.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
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
