"""Where results go: standard output as they come, or a file that appears when it is complete."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

Write = Callable[[str], None]


@contextlib.contextmanager
def opened(out: Path | None) -> Iterator[Write]:
    """Gives a function that writes text, in UTF-8, to `out` or to standard output.

    A file is written beside its place and moved there at the end, so that it is never seen half written and an old one
    survives a failure. Where standard output is closed early (`| head`), the process ends without a word.

    Raises:
        OSError: the file cannot be written.
    """
    if out is None:
        with _standard_output() as write:
            yield write
        return
    out = out.resolve()  # a link keeps pointing to the file
    if out.exists() and not out.is_file():  # a pipe or /dev/null: moving a file there would replace it
        with out.open("w", encoding="utf-8") as file:
            yield lambda text: _write(file.write, text)
        return
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield lambda text: _write(file.write, text)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _standard_output() -> Iterator[Write]:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")

    def write(text: str) -> None:
        _write(sys.stdout.write, text)
        sys.stdout.flush()

    try:
        yield write
    except BrokenPipeError:
        # The interpreter flushes standard output once more when it ends; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # what a shell shows for a process that SIGPIPE ended


def _write(write: Callable[[str], int], text: str) -> None:
    write(text.encode("utf-8", "replace").decode())
