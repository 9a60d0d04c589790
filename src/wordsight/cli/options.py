"""Options that several commands offer, so that the same flag means the same everywhere."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from wordsight.errors import DataError, printable

if TYPE_CHECKING:
    from rich.table import Table


Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Write to this folder.")]
Seed = Annotated[int, typer.Option(help="Use this random seed: the same seed gives the same result.")]
Fonts = Annotated[
    list[Path] | None,
    typer.Option(help="Render with the fonts in this folder; may be repeated. Default: the system's."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Use this many CPU threads. Default: all.")]
DeviceName = Annotated[
    Literal["auto", "cpu", "cuda", "coreml", "openvino"],
    typer.Option("--device", help="Run the networks on this device."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Read this many crops at once.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the numbers to this file.")]

# How a reader reads: the same words and meanings in every command that makes one.
DEFAULT_MODEL = "latin"
"""That of `Reader`."""
ModelName = Annotated[
    str, typer.Option("--model", "-m", help="Read with this shipped model, or the pack in this folder.")
]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model, or the folder of a pack.")]
Start = typer.Option("--from", metavar="MODEL", help="Start from this shipped model, pack or checkpoint folder.")
MinConfidence = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Leave out words below this confidence. Default: 0.45 for detected words, 0 for others."
    ),
]
DecodingMode = Annotated[
    Literal["adaptive", "full", "visual", "parallel"],
    typer.Option(
        help="Let the cross-modal branch spell-check: adaptive (doubtful words), full (everywhere, as in the "
        "paper), visual (nowhere) or parallel (one pass, then refined)."
    ),
]
Allow = Annotated[str | None, typer.Option(metavar="CHARACTERS", help="Read only these characters.")]
Pattern = Annotated[
    str | None, typer.Option(metavar="REGEX", help="Read only words that match this regular expression as a whole.")
]
Lexicon = Annotated[Path | None, typer.Option(metavar="FILE", help="Read only words from this file, one per line.")]
DictionaryFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|LANGUAGES",
        help="Prefer these words to English ones: a file with one per line, or languages "
        "(de, or de,fr; needs the extra 'languages').",
    ),
]
NoDictionary = Annotated[
    bool, typer.Option("--no-dictionary", help="Use no dictionary: read doubtful words letter by letter.")
]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse pictures with more pixels than this.")]


def word_list(path: Path) -> list[str]:
    """The lines of a file. Ends the command where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{path} cannot be read as a list of words ({error}): give a text file in UTF-8")


def chosen_dictionary(dictionary: str | None, no_dictionary: bool) -> str | list[str] | None:
    """What `--dictionary` and `--no-dictionary` ask for, as `Reader` takes it."""
    if dictionary and no_dictionary:
        refuse("--dictionary and --no-dictionary exclude each other")
    if no_dictionary:
        return None
    given = dictionary or "english"
    languages = all(part.strip().isalpha() for part in given.split(","))
    return given if languages and not Path(given).is_file() else word_list(Path(given))


def say(message: str) -> None:
    """Prints one line on standard error, with unprintable characters escaped."""
    typer.echo(f"wordsight: {printable(message)}", err=True)


@contextmanager
def leaving_out(what: str = "left out") -> Iterator[None]:
    """Goes on without a sample that cannot be read, and says so."""
    try:
        yield
    except DataError as error:
        say(f"{what}: {error}")


def print_tables(tables: "Iterable[Table]", width: int) -> None:
    """Tables on standard output; `width` columns wide where that is a file, for which Rich would take 80."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else width)
    for table in tables:
        console.print(table)


def refuse(message: str) -> NoReturn:
    """Ends a command whose usage is invalid."""
    say(message)
    raise typer.Exit(2)
