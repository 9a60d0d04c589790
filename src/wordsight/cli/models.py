"""`wordsight models`."""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import typer

from wordsight.cli.app import app
from wordsight.errors import ConfigError, ModelError, printable

models = typer.Typer(help="List, fetch, convert, export, calibrate and publish models.", no_args_is_help=True)
app.add_typer(models, name="models")


@models.command("list")
def list_models() -> None:
    """List the models inside the package, the default one starred, and published weights for `pull`."""
    from wordsight.runtime import shipped_models
    from wordsight.weights.catalogue import PUBLISHED

    shipped = shipped_models()
    if shipped:
        _table(("model", "size", "characters", "word accuracy, %", "licence"), _shipped_rows(shipped))
    else:
        typer.echo("no models come with this installation; read with --model FOLDER")
    typer.echo("\nPublished by others, for `wordsight models pull NAME --out DIR`:")
    _table(
        ("weights", "size", "what", "licence"),
        ((name, f"{each.megabytes} MB", each.what, each.licence) for name, each in PUBLISHED.items()),
    )
    typer.echo("\nMore on each: wordsight models info NAME")


@models.command()
def info(
    model: str = typer.Argument(
        help="A shipped model or detector, the folder of a pack or checkpoint, or published weights."
    ),
) -> None:
    """Describe a model: its parts and their sizes, characters, scores, licence, and how it was trained."""
    from wordsight.cli.model_info import describe

    _table(None, describe(model))


@models.command()
def pull(
    name: str = typer.Argument(
        help="A name that `wordsight models list` shows, or hf:OWNER/NAME on the Hugging Face hub."
    ),
    out: Path = typer.Option(..., "--out", "-o", metavar="DIR", help="Create a folder of that name in this folder."),
) -> None:
    """Download published weights, or a model of ours from the Hugging Face hub.

    An interrupted download resumes; SHA-256 is verified where one is published.
    """
    from wordsight.cli.progress import progress
    from wordsight.weights.catalogue import PUBLISHED
    from wordsight.weights.download import Download

    if name.startswith("hf:"):
        from wordsight.weights import hub

        folder = hub.pull(name.removeprefix(hub.PREFIX), out)
        typer.echo(f"{folder}: verified; more on it: wordsight models info {folder}")
        return
    if name not in PUBLISHED:
        raise ModelError(f"no published weights are called {name!r}: choose one of {', '.join(PUBLISHED)}")
    weights = PUBLISHED[name]
    if not weights.files:
        raise ModelError(f"the address of {name}'s file is not known: download it by hand from {weights.page}")
    folder = out / name
    for file in weights.files:
        limit = (2 * weights.megabytes + 10) * 1_000_000
        download = Download(file.url, folder / file.name, file.sha256, limit=limit)
        for _ in progress(download, total=weights.megabytes, label=f"{file.name}, MB"):
            pass
        size = download.to.stat().st_size / 1e6
        verified = "SHA-256 verified" if download.verified else "no SHA-256 is published for it"
        typer.echo(f"{download.to}: {size:.1f} MB, {verified}")
    typer.echo(f"{weights.what}; licence: {weights.licence}; next: wordsight models convert {folder} -o DIR")


@models.command()
def push(
    model: str = typer.Argument(help="A shipped model, or the folder of a pack or checkpoint."),
    repository: str = typer.Argument(metavar="hf:OWNER/NAME", help="The repository on the hub; created if needed."),
    private: bool = typer.Option(False, "--private", help="Make a new repository private."),
) -> None:
    """Upload a model with a model card to the Hugging Face hub.

    Log in before with `hf auth login`, or set HF_TOKEN. A README.md in the folder is taken as the card.
    """
    from wordsight.cli.model_info import describe
    from wordsight.cli.recognizers import find_ours
    from wordsight.weights import hub

    if not repository.startswith(hub.PREFIX):
        raise ConfigError(f"{repository}: models are pushed to the Hugging Face hub: give {hub.PREFIX}OWNER/NAME")
    found = find_ours(model)
    folder = found if isinstance(found, Path) else found.folder
    typer.echo(hub.push(folder, repository.removeprefix(hub.PREFIX), describe(str(folder)), private=private))


def _shipped_rows(shipped: Mapping[str, Path]) -> Iterator[Sequence[str]]:
    from wordsight.runtime import DEFAULT, load_pack

    for name, folder in shipped.items():
        pack = load_pack(folder)
        scores = [f"{what} {score}" for what, score in (pack.about.get("scores") or {}).items()]
        yield (
            f"{name} *" if name == DEFAULT else name,
            f"{pack.bytes / 1e6:.1f} MB",
            f"{len(pack.charset)} ({pack.charset.name})",
            scores[0] if scores else "not stated",  # the one that is compared most
            str(pack.about.get("licence", "not stated")),
        )


def _table(head: Sequence[str] | None, rows: Iterable[Sequence[str]]) -> None:
    """In columns; only the last one is broken into lines, at words, where the terminal is too narrow."""
    whole = [*([head] if head else []), *rows]
    widths = [max(len(row[k]) for row in whole) for k in range(len(whole[0]) - 1)]
    before = sum(widths) + 2 * len(widths)
    room = max(shutil.get_terminal_size().columns - before, 12)
    for *cells, last in whole:
        first, *others = textwrap.wrap(last, room) or [""]
        typer.echo(printable("".join(f"{cell:{width}}  " for cell, width in zip(cells, widths, strict=True)) + first))
        for line in others:
            typer.echo(" " * before + printable(line))
