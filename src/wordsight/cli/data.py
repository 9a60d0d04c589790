"""`wordsight data`: looking after data sets."""

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.app import app
from wordsight.cli.options import Seed, leaving_out, print_tables, say
from wordsight.cli.progress import progress, samples
from wordsight.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from wordsight.data import OpenedSource, Source
    from wordsight.data.check import Findings
    from wordsight.data.near_duplicates import Gallery, SceneGallery
    from wordsight.reader import Reader

data_app = typer.Typer(help="Check, import, label and pack data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command()
def check(
    paths: list[Path] = typer.Argument(
        metavar="DATA...", help="Folders with labels.tsv, LMDB archives or scenes.jsonl, or trees of them."
    ),
    charset: str = typer.Option(
        "94+space", help="Check against these characters: 36, 62, 94, 94+space, latin, latin-extended."
    ),
    max_length: int = typer.Option(40, min=1, help="Report labels with more characters than this as too long."),
    test: list[Path] = typer.Option([], help="List the samples that are also in this test set; may be repeated."),
    similar: bool = typer.Option(
        False, "--similar", help="With --test: also list crops and whole scenes that look the same."
    ),
    no_images: bool = typer.Option(False, "--no-images", help="Check only the labels, and decode no image."),
) -> None:
    """Find samples that cannot be trained on: bad labels (outside the charset, too long, empty), images, test samples.

    Exit status: 1 where a label or image cannot be read, or a sample is also in a test set; 0 otherwise.
    """
    from wordsight.data import ScenesSource, open_source
    from wordsight.data.check import check_scenes, check_source
    from wordsight.text import Charset

    warnings.filterwarnings("ignore", module="PIL")  # on damaged files; what matters is in the findings
    if test and no_images:
        raise ConfigError("--test compares images: leave out --no-images")
    if similar and not test:
        raise ConfigError("--similar looks for crops of a test set: name it with --test")
    chars = Charset.preset(charset)
    sources = [part for path in paths for part in _parts(str(path), open_source(path))]
    gallery, test_scenes = _galleries(test, similar)
    checked = []
    for folder, source in sources:
        name = printable(folder)
        indices = progress(range(len(source)), len(source), name)
        found = check_source(source, chars, max_length, indices, images=not no_images, test=gallery if test else None)
        if similar and isinstance(source, ScenesSource):
            check_scenes(progress(source.scenes, len(source.scenes), f"scenes of {name}"), test_scenes, found)
        _print_findings(name, found, charset)
        checked.append((name, found))
    print_tables([_table(checked, charset, compared=bool(test))], 120)
    if any(found.unreadable.count or found.duplicates.count or found.scene_duplicates.count for _, found in checked):
        raise typer.Exit(1)


@data_app.command("import")
def import_(
    name: str = typer.Argument("", metavar="NAME", help="The data set; --list shows which there are."),
    source: Path = typer.Argument(Path(), metavar="SRC", help="Folder of the unpacked data set."),
    out: Path | None = typer.Option(None, "--out", "-o", metavar="DIR", help="Write SPLIT/scenes.jsonl below it."),
    images: Path | None = typer.Option(None, help="Look for its pictures in this folder, not in SRC."),
    listed: bool = typer.Option(False, "--list", help="List the data sets, their licences and where they are."),
) -> None:
    """Convert a data set, as its organisers distribute it, to scenes.jsonl; pictures stay where they are.

    Skipped words are counted by reason. Nothing is downloaded.
    """
    from wordsight.data.importers import DATA_SETS, import_scenes, write_splits
    from wordsight.data.importers.unpacked import Unpacked

    if listed:
        print_tables([_data_sets()], 160)
        return
    if not name or out is None:
        raise ConfigError("give the name of a data set, its folder and -o FOLDER; --list shows the data sets")
    files = Unpacked(source, images)
    scenes = list(progress(import_scenes(name, files), None, name))
    for reason, kind in files.skipped.items():
        typer.echo(f"  left out, {reason}: {kind.count} (such as {kind.examples[0]})")
    if not scenes:
        raise DataError(f"{source}: nothing was imported (see above): give the pictures' folder with --images")
    typer.echo(f"{DATA_SETS[name].title}. Licence: {DATA_SETS[name].licence}. From: {DATA_SETS[name].address}")
    for split, path in write_splits(scenes, out).items():
        words = [word for scene in scenes if scene.split == split for word in scene.words]
        legible = sum(word.legible for word in words)
        count = sum(scene.split == split for scene in scenes)
        typer.echo(f"{path}: {count} scenes, {legible} words, {len(words) - legible} illegible")


@data_app.command()
def pack(
    paths: list[Path] = typer.Argument(metavar="DATA...", help="Folders with scenes.jsonl; with --lmdb any data sets."),
    out: Path = typer.Option(..., "--out", "-o", metavar="DIR", help="Write the shards or archive to this new folder."),
    lmdb: bool = typer.Option(
        False, "--lmdb", help="Write word crops as an LMDB archive, in the layout of PARSeq and the field."
    ),
    images: list[Path] = typer.Option(
        [], help="Also allow pictures in this folder, besides that of their data set; may be repeated."
    ),
    shard_mb: int = typer.Option(128, min=1, help="Write shards of up to this many MB; readers hold one in memory."),
    seed: Seed = 0,
) -> None:
    """Pack scenes into WebDataset shards (tar files), to be read from disk or streamed over HTTP; or words into LMDB.

    Exit status: 1 if a picture cannot be read or lies outside the allowed folders; the others are packed anyway.
    """
    from wordsight.data import read_scenes
    from wordsight.data.shards import pack_scenes

    below = [*images, *(path if path.is_dir() else path.parent for path in paths)]
    if lmdb:
        written, broken = _pack_words(paths, out, below)
    else:
        scenes = [scene for path in paths for scene in read_scenes(path)]
        shards = pack_scenes(scenes, out, below=below, seed=seed, shard_bytes=shard_mb << 20)
        errors = [packed for packed in progress(shards, len(scenes), "packing") if isinstance(packed, DataError)]
        for error in errors:
            say(f"left out: {error}")
        broken = len(errors)
        written = f"{len(scenes) - broken} scenes in {len(list(out.glob('*.tar')))} shards"
    typer.echo(f"{out}: {written}, {broken} left out")
    if broken:
        raise typer.Exit(1)


def _pack_words(paths: Sequence[Path], out: Path, below: Sequence[Path]) -> tuple[str, int]:
    """Says what was written, and returns the number of words that were left out."""
    from wordsight.data import open_source
    from wordsight.data.lmdb import encoded, write_lmdb

    sources = [open_source(path) for path in paths]
    places = [place.resolve() for place in below]

    def crops() -> Iterator[tuple[bytes, str]]:
        for path, source in zip(paths, sources, strict=True):
            for i in progress(range(len(source)), len(source), str(path)):
                with leaving_out():
                    yield encoded(source, i, places)

    count = write_lmdb(crops(), out)
    return f"{count} words", sum(map(len, sources)) - count


@data_app.command("pseudo-label")
def pseudo_label_(
    paths: list[Path] = typer.Argument(metavar="SCENES...", help="Folders with scenes.jsonl."),
    out: Path = typer.Option(..., "--out", "-o", metavar="DIR", help="Write the crops and labels.tsv to this folder."),
    model: list[str] = typer.Option(
        ["latin", "small"],
        "--model",
        "-m",
        help="Require these models to agree; the first gives the label. May be repeated.",
    ),
    least: float = typer.Option(
        0.6,
        "--min-confidence",
        min=0,
        max=1,
        help="Leave out words below this confidence (of the first model).",
    ),
    held_out: float = typer.Option(0.0, min=0, max=1, help="Leave out this share of the scenes, from the end."),
) -> None:
    """Cut out words that are marked illegible in scenes, and label those that several models agree on."""
    from wordsight.data import read_scenes
    from wordsight.data.pseudo import pseudo_label
    from wordsight.reader import Reader

    scenes = []
    for path in paths:
        every = read_scenes(path)
        scenes += every[: round(len(every) * (1 - held_out))]
    readers = [partial(_readings, Reader(each)) for each in model]
    illegible = sum(not word.legible for scene in scenes for word in scene.words)
    labelled = sum(pseudo_label(progress(scenes, len(scenes), "reading"), readers, out, least))
    typer.echo(f"{out}: {labelled} labels for {illegible} illegible words of {len(scenes)} scenes")


def _readings(reader: "Reader", crops: "list[NDArray[np.uint8]]") -> list[tuple[str, float]]:
    return [(word.text, word.confidence) for word in reader.read_crops(crops)]


def _data_sets() -> "Table":
    from rich.table import Column, Table

    from wordsight.data.importers import DATA_SETS

    address = Column("address", overflow="fold")
    table = Table("name", "data set", "licence", address, "run on the organisers' files")
    for name, one in DATA_SETS.items():
        table.add_row(name, one.title, one.licence, one.address, "yes" if one.seen else "no")
    return table


def _parts(name: str, source: "OpenedSource") -> Iterator[tuple[str, "OpenedSource | Source"]]:
    """A tree's archives one by one, since people want to know which one is broken."""
    from wordsight.data import JoinedSource

    if not isinstance(source, JoinedSource):
        yield name, source
        return
    for part in source.parts:
        yield f"{name}/{getattr(part, 'dataset', '')}", part


def _galleries(paths: Sequence[Path], similar: bool) -> tuple["Gallery", "SceneGallery"]:
    """The samples of test sets and, with `similar`, their scenes."""
    from wordsight.data import ScenesSource, open_source
    from wordsight.data.near_duplicates import Gallery, SceneGallery

    gallery, scenes = Gallery(similar=similar), SceneGallery()
    for path in paths:
        for name, source in _parts(str(path), open_source(path)):
            for sample in samples(source, f"test: {name}", "cannot be compared"):
                gallery.add(sample)
            for scene in source.scenes if similar and isinstance(source, ScenesSource) else ():
                with leaving_out("cannot be compared"):
                    scenes.add(scene, name)
    return gallery, scenes


def _print_findings(name: str, found: "Findings", charset: str) -> None:
    typer.echo(f"{name}: {found.samples} samples, {found.samples - found.unusable} usable with {charset}")
    for what, labels in found.problems.items():
        more = ", ..." if labels.count > 5 else ""
        typer.echo(f"  {what}: {labels.count} ({', '.join(labels.examples[:5])}{more})")
    if found.unknown:
        listed = ", ".join(f"{c!r} U+{ord(c):04X} x{count}" for c, count in found.unknown.most_common(100))
        more = f", and {len(found.unknown) - 100} more" if len(found.unknown) > 100 else ""
        typer.echo(f"  characters not in {charset}: {listed}{more}")
    kinds = (found.unreadable, found.duplicates, found.scene_duplicates)
    for what, kind in zip(("unreadable", "also in a test set", "scene also in a test set"), kinds, strict=True):
        for example in kind.examples:
            typer.echo(f"  {what}: {printable(example)}")
        if kind.count > len(kind.examples):
            typer.echo(f"  {what}: {kind.count - len(kind.examples)} more")


def _table(checked: Sequence[tuple[str, "Findings"]], charset: str, *, compared: bool) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    problems = ("empty", "too long", "unknown characters")
    columns = ("samples", "usable", *problems, "unreadable", *(("in test",) if compared else ()))
    numbers = (Column(column, justify="right") for column in columns)
    table = Table("data", *numbers, title=f"Checked for {charset}", title_justify="left")
    rows = []
    for name, found in checked:
        counts = [found.samples, found.samples - found.unusable, *map(found.count, problems), found.unreadable.count]
        rows.append([*counts, found.duplicates.count] if compared else counts)
        table.add_row(Text(name), *map(str, rows[-1]))
    if len(rows) > 1:
        table.add_section()
        table.add_row("all", *(str(sum(column)) for column in zip(*rows, strict=True)))
    return table
