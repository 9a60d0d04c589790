"""`wordsight models`."""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from wordsight.cli.app import app
from wordsight.errors import ConfigError, ModelError, printable

if TYPE_CHECKING:
    from wordsight.detect import DetectorPack
    from wordsight.runtime import Pack
    from wordsight.text import Charset

Row = tuple[str, str]
"""A name and a value, for people."""

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


def describe(model: str) -> Iterator[Row]:
    """Rows on the model of that name or in that folder.

    Raises:
        ModelError: there is no such model, or it is damaged.
        ModuleNotFoundError: it is a checkpoint, and PyTorch is not installed.
    """
    from wordsight.cli.recognizers import find_ours
    from wordsight.detect import packs
    from wordsight.weights.catalogue import PUBLISHED

    if model in PUBLISHED:
        yield from _published(model)
    elif model in (packs.DEFAULT, packs.PPOCR) or (Path(model) / packs.MANIFEST).is_file():
        yield from _detector(packs.find_detector(model))
    elif isinstance(found := find_ours(model), Path):
        yield from _checkpoint(found)
    else:
        yield from _pack(found)


def _pack(pack: "Pack") -> Iterator[Row]:
    yield "model", pack.name
    yield "kind", f"pack of {pack.architecture}, decoded as {pack.kind.name}"
    yield "folder", str(pack.folder)
    yield "size", _megabytes(pack.bytes)
    for name, graph in pack.graphs.items():
        yield f"  {name}", f"{graph.file}, {_megabytes((pack.folder / graph.file).stat().st_size)}"
    yield "input", f"{pack.preprocessing.width or 'any width'} x {pack.preprocessing.height} pixels"
    yield "charset", _charset(pack.charset)
    yield "longest word", f"{pack.max_length} characters"
    yield "scenes", "words are read with their photo (CLIPTER)" if pack.scene else "words are read without their photo"
    yield from ((what, _said(said)) for what, said in pack.about.items())


def _detector(pack: "DetectorPack") -> Iterator[Row]:
    graphs = [graph for graph in (pack.file, pack.glance) if graph]
    yield "model", pack.name
    yield "kind", "pack of a text detector, for --detector"
    yield "folder", str(pack.file.parent)
    yield "size", _megabytes(sum(graph.stat().st_size for graph in graphs))
    for graph in graphs:
        yield f"  {graph.stem}", f"{graph.name}, {_megabytes(graph.stat().st_size)}"
    yield "thresholds", f"boxes {pack.min_score}, pixels {pack.threshold}, blocks of the glance {pack.suspicion}"
    yield "boxes", f"expanded by {pack.unclip} x area / perimeter"
    yield from ((what, _said(said)) for what, said in pack.about.items())


def _checkpoint(folder: Path) -> Iterator[Row]:
    from wordsight.models import checkpoint
    from wordsight.models.clipter.model import Gate
    from wordsight.models.recognizer import Recognizer

    model, about = checkpoint.load(folder)
    weights = dict(model.named_parameters())
    yield "model", folder.name
    yield "kind", f"checkpoint of {model.architecture}, to fine-tune or export"
    yield "folder", str(folder)
    yield "size", f"{_megabytes(sum(f.stat().st_size for f in folder.iterdir() if f.is_file()))}, {_count(weights)}"
    for part in dict.fromkeys(name.split(".")[0] for name in weights):
        inside = {name: each for name, each in weights.items() if name.split(".")[0] == part}
        yield f"  {part}", _count(inside)
    for name, module in model.named_modules():
        if isinstance(module, Gate):
            yield f"gate {name}", f"{module.value.item():.4f} of the scene"
    if isinstance(model, Recognizer):
        yield "charset", _charset(model.cfg.charset)
    yield from ((what, _said(said)) for what, said in about.items())


def _published(name: str) -> Iterator[Row]:
    from wordsight.evaluate.benchmarks import published
    from wordsight.weights.catalogue import PUBLISHED

    weights = PUBLISHED[name]
    yield "model", name
    yield "kind", f"published weights: {weights.what}"
    yield "trained on", weights.trained_on
    yield "size", f"{weights.megabytes} MB"
    yield "licence", weights.licence
    yield "page", weights.page
    for row in published():
        if row.suite == "parseq-full" and row.model == weights.scores_as:
            yield "word accuracy as published", ", ".join(f"{what} {score}" for what, score in row.scores.items())
    yield "to get it", weights.how(name)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _charset(charset: "Charset") -> str:
    return f"{charset.name}, {len(charset)} characters: {charset.characters}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _count(weights: Mapping[str, Any]) -> str:
    return f"{sum(each.numel() for each in weights.values()):,} weights"
