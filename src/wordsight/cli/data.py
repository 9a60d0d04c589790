"""`wordsight data`: looking after data sets."""

from pathlib import Path

import typer

from wordsight.cli.app import app
from wordsight.cli.progress import progress

data_app = typer.Typer(help="Look after data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.callback()
def _group() -> None:
    """Look after data sets."""


@data_app.command()
def check(
    paths: list[Path] = typer.Argument(help="Folders with labels.tsv, LMDB archives, or scenes.jsonl."),
    charset: str = typer.Option("94+space", help="36, 62, 94, 94+space or latin."),
    max_length: int = typer.Option(40, min=1, help="Longest label that a model takes, in characters."),
) -> None:
    """Count samples, and list what cannot be trained on: labels outside the charset, over-long ones, broken images."""
    from wordsight.data import open_source
    from wordsight.data.check import check_source
    from wordsight.text import Charset

    chars = Charset.preset(charset)
    broken = False
    for path in paths:
        source = open_source(path)
        found = check_source(source, chars, max_length, progress(range(len(source)), len(source), str(path)))
        typer.echo(f"{path}: {found.samples} samples, {found.samples - found.unusable} usable with {charset}")
        for what, examples in found.problems.items():
            typer.echo(f"  {what}: {len(examples)} ({', '.join(examples[:5])}{', ...' if len(examples) > 5 else ''})")
        if found.unknown:
            listed = ", ".join(f"{c!r} U+{ord(c):04X} x{count}" for c, count in found.unknown.most_common())
            typer.echo(f"  unknown characters: {listed}")
        broken = broken or bool(found.unreadable)
        for error in found.unreadable:
            typer.echo(f"  unreadable: {error}")
    if broken:
        raise typer.Exit(1)
