"""`wordsight`: gathers the verbs and turns the library's errors into one line and an exit status."""

import os
import sys
from importlib import import_module

import typer

from wordsight import __version__
from wordsight.cli.app import app
from wordsight.errors import WordsightError

for _verb in (
    "read",
    "bulk",
    "eval",
    "train",
    "finetune",
    "pretrain",
    "synth",
    "data",
    "convert",
    "export",
    "calibrate",
    "explain",
    "models",
    "zeroshot",
    "ablate",
    "context",
):
    import_module(f"wordsight.cli.{_verb}")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wordsight {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Reads the words in photographs."""


_EXTRAS = {"fsspec": "bulk", "prometheus_client": "bulk", "pyarrow": "bulk", "ray": "bulk"}
"""What brings the packages that are missed; all others that are not of the plain package are in [train]."""


def main() -> None:
    """Entry point of the `wordsight` script. Exit status: 0 done, 1 failed, 2 usage.

    No error of the library or of what it calls shows a traceback, unless WORDSIGHT_TRACEBACK is set.
    """
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("WORDSIGHT_TRACEBACK"):
            raise
        typer.echo(f"wordsight: {_in_one_line(error)}", err=True)
        sys.exit(1)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, WordsightError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install 'wordsight[{_EXTRAS.get(str(error.name), 'train')}]'"
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:  # the disk is full, a file may not be read, ...
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"unexpected {type(error).__name__}: {text} (WORDSIGHT_TRACEBACK=1 shows where; please report it)"


if __name__ == "__main__":
    main()
