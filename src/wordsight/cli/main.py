"""`wordsight`: gathers the commands and turns the library's errors into one line and an exit status."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

import typer

from wordsight import __version__
from wordsight.cli.app import app
from wordsight.errors import WordsightError, pip_install, printable

for _command in (
    "read", "eval", "train", "finetune", "models", "convert", "export", "calibrate", "merge", "data", "synth",
    "explain", "bench", "bulk", "serve", "mcp", "moved",
):  # fmt: skip
    import_module(f"wordsight.cli.{_command}")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wordsight {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Reads the words in photographs."""


class Stopped(BaseException):
    """A signal asked the command to end. Half-written files are removed on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


_EXTRAS = {
    **dict.fromkeys(("fsspec", "pyarrow", "ray"), "bulk"),
    **dict.fromkeys(("fastapi", "fastapi_offline", "uvicorn", "python_multipart", "starlette", "pydantic"), "serve"),
    "prometheus_client": "serve",
    "wordfreq": "languages",
    "huggingface_hub": "hub",
    **{name: name for name in ("docling", "mcp", "ocrmypdf", "wandb")},
    "pypdfium2": "pdf",
    "pillow_heif": "heif",
}
"""Which extra installs a missing package; packages that are not listed here are in [train]."""


def main() -> None:
    """Entry point of the `wordsight` script."""
    run(app, "wordsight")


def run(commands: typer.Typer, name: str) -> None:
    """Runs a command line. Exit status: 0 done, 1 failed, 2 usage, 128 + the number of a signal.

    No error of the library or of what it calls shows a traceback, unless WORDSIGHT_TRACEBACK is set.
    """
    try:
        with _stoppable():
            commands()
    except Stopped as stopped:
        sys.exit(stopped.status)
    except Exception as error:
        if os.environ.get("WORDSIGHT_TRACEBACK"):
            raise
        typer.echo(f"{name}: {printable(_in_one_line(error))}", err=True)
        sys.exit(1)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turns signals that ask the process to end into `Stopped`, wherever the command is; a second one ends it at once.

    Python would turn Ctrl-C into KeyboardInterrupt, which Click turns into exit status 1, and die of the others without
    cleaning up; Lightning would end a training as if it were done. Signals that are ignored (nohup) stay ignored.
    """

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Stopped(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one is not everywhere
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, WordsightError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: {pip_install(_EXTRAS.get(str(error.name), 'train'))}"
    text = " ".join(str(error).split())
    if missed := re.search(r"Requirement '([\w.-]+)[^']*' not met", text):  # by a logger of Lightning
        name = missed[1]
        return f"{name} is not installed: {pip_install(_EXTRAS[name]) if name in _EXTRAS else f'pip install {name}'}"
    if isinstance(error, OSError) and error.strerror:  # the disk is full, a file may not be read, ...
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"unexpected {type(error).__name__}: {text} (WORDSIGHT_TRACEBACK=1 shows where; please report it)"


if __name__ == "__main__":
    main()
