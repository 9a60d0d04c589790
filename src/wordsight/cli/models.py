"""`wordsight models`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.app import app

if TYPE_CHECKING:
    from rich.console import Console

models = typer.Typer(help="Models: those that come with wordsight, and what others publish.", no_args_is_help=True)
app.add_typer(models, name="models")


@models.command("list")
def list_models() -> None:
    """List the models inside the package, the default one starred, and published weights for `pull`."""
    from rich.console import Console

    from wordsight.runtime import shipped_models

    shipped = shipped_models()
    if shipped:
        _print_shipped(Console(), shipped)
    else:
        typer.echo("no models come with this installation; read with --model FOLDER")
    _print_published()


@models.command()
def pull(
    name: str = typer.Argument(help="Of published weights, see `wordsight models list`."),
    to: Path = typer.Option(..., "--to", metavar="DIR", help="Folder to put a folder of that name into."),
) -> None:
    """Download published weights. What was cut off goes on; SHA-256 is verified where one is published."""
    from wordsight.cli.progress import progress
    from wordsight.errors import ModelError
    from wordsight.weights.catalogue import PUBLISHED
    from wordsight.weights.download import Download

    if name not in PUBLISHED:
        raise ModelError(f"no published weights are called {name!r}: choose one of {', '.join(PUBLISHED)}")
    weights = PUBLISHED[name]
    if not weights.files:
        raise ModelError(f"where the file of {name} lies is not known: get it by hand from {weights.page}")
    folder = to / name
    for file in weights.files:
        limit = (2 * weights.megabytes + 10) * 1_000_000
        download = Download(file.url, folder / file.name, file.sha256, limit=limit)
        for _ in progress(download, total=weights.megabytes, label=f"{file.name}, MB"):
            pass
        size = download.to.stat().st_size / 1e6
        verified = "SHA-256 verified" if download.verified else "no SHA-256 is published for it"
        typer.echo(f"{download.to}: {size:.1f} MB, {verified}")
    typer.echo(f"{weights.what}; licence: {weights.licence}; next: wordsight convert {folder} -o DIR")


def _print_shipped(console: "Console", shipped: Mapping[str, Path]) -> None:
    from rich.table import Table

    from wordsight.runtime import DEFAULT, load_pack

    table = Table("model", "architecture", "MB", "charset", "characters", "longest word", "scores", "licence", box=None)
    for name, folder in shipped.items():
        pack = load_pack(folder)
        table.add_row(
            f"{name} *" if name == DEFAULT else name,
            pack.architecture,
            f"{pack.bytes / 1e6:.1f}",
            pack.charset.name,
            str(len(pack.charset)),
            str(pack.max_length),
            _scores(pack.about.get("scores") or {}),
            str(pack.about.get("licence", "not stated")),
        )
    console.print(table)


def _print_published() -> None:
    import shutil
    import textwrap

    from wordsight.evaluate.benchmarks import published
    from wordsight.weights.catalogue import PUBLISHED

    scores = {row.model: row.scores for row in published() if row.suite == "parseq-full"}
    width = shutil.get_terminal_size().columns
    column = max(map(len, PUBLISHED)) + 2
    typer.echo("\npublished by others, for `wordsight models pull NAME --to DIR`:")
    for name, weights in PUBLISHED.items():
        lines = [f"{weights.what}; {weights.trained_on}; {weights.megabytes} MB; licence: {weights.licence}"]
        if weights.scores_as:
            lines.append(f"word accuracy as published: {_scores(scores[weights.scores_as])}")
        text = "\n".join(
            textwrap.fill(line, max(width - column, 40), break_long_words=False, break_on_hyphens=False)
            for line in (*lines, weights.page)
        )
        typer.echo(f"{name:{column}}{textwrap.indent(text, ' ' * column).lstrip()}")


def _scores(scores: Mapping[str, object]) -> str:
    return ", ".join(f"{what} {score}" for what, score in scores.items()) or "not stated"
