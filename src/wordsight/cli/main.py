"""`wordsight`: gathers the verbs and turns the library's errors into one line and an exit status."""

import sys
from importlib import import_module

import typer

from wordsight import __version__
from wordsight.cli.app import app
from wordsight.errors import WordsightError

for _verb in ("read", "eval", "train", "synth", "data", "export", "models"):
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


def main() -> None:
    """Entry point of the `wordsight` script. Exit status: 0 done, 1 failed, 2 usage."""
    try:
        app()
    except WordsightError as error:
        typer.echo(f"wordsight: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
