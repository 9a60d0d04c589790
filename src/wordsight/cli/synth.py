"""`wordsight synth`: rendering words, lines and scenes, and cutting out what words are rendered on."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from wordsight.cli.app import app
from wordsight.cli.options import Fonts, Out, Seed, refuse
from wordsight.cli.progress import progress

if TYPE_CHECKING:
    from wordsight.synth.lines import RenderedLines


class _Group(TyperGroup):
    """Names the new command to those who call `wordsight synth --count 10`, as before it had commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            refuse("synth is now wordsight synth words")
        return super().parse_args(ctx, args)


synth = typer.Typer(help="Render words, lines and scenes for training.", no_args_is_help=True, cls=_Group)
app.add_typer(synth, name="synth")

Words = Annotated[
    list[Path] | None, typer.Option(help="Take words from this list, one per line, or word TAB count; may be repeated.")
]
Backgrounds = Annotated[Path | None, typer.Option(help="Cut backgrounds from the pictures in this folder.")]
Workers = Annotated[int, typer.Option(min=1, help="Render in this many processes; the result is the same.")]


@synth.command()
def words(
    out: Out,
    count: int = typer.Option(1000, min=1, help="Render this many crops."),
    seed: Seed = 0,
    fonts: Fonts = None,
    words: Words = None,
    backgrounds: Backgrounds = None,
    settings: list[str] | None = typer.Option(
        None, "--set", metavar="NAME=VALUE", help="Change a setting, as in glare=0.2; may be repeated."
    ),
    workers: Workers = 1,
) -> None:
    """Render labelled word crops: images, labels.tsv and contact-sheet.png."""
    from wordsight.synth.config import RenderConfig
    from wordsight.synth.words import RenderedWords

    config = RenderConfig().with_settings(settings or ())
    _look_at_fonts(fonts)
    source = RenderedWords(seed=seed, fonts=fonts or None, words=words or (), backgrounds=backgrounds, config=config)
    _write(source, out, count, workers)


@synth.command()
def lines(
    out: Out,
    count: int = typer.Option(1000, min=1, help="Render this many crops."),
    seed: Seed = 0,
    fonts: Fonts = None,
    words: Words = None,
    backgrounds: Backgrounds = None,
    workers: Workers = 1,
) -> None:
    """Render labelled crops of lines and words of any width, such as the default model is trained on."""
    from wordsight.synth.lines import RenderedLines

    _look_at_fonts(fonts)
    source = RenderedLines(seed=seed, fonts=fonts or None, words=words or (), backgrounds=backgrounds)
    _write(source, out, count, workers)


@synth.command()
def scenes(
    out: Out, count: int = typer.Option(1, min=1, help="Render this many scenes."), seed: Seed = 0, fonts: Fonts = None
) -> None:
    """Render streets with signs: images, and scenes.jsonl with their words and boxes."""
    from wordsight.synth.export import write_scenes

    words = sum(progress(write_scenes(out, count, seed, fonts or None), count, "rendering"))
    typer.echo(f"{out}: {count} scene(s), {words} words")


@synth.command()
def backgrounds(
    out: Out,
    scenes: list[Path] = typer.Argument(
        help="Folders with a scenes.jsonl in which every word is marked, or such files."
    ),
    per_scene: int = typer.Option(4, min=1, help="Cut this many patches from each photograph."),
    seed: Seed = 0,
) -> None:
    """Cut patches without text out of labelled photographs, to render words on."""
    from wordsight.data.scenes import read_scenes
    from wordsight.synth.export import cut_backgrounds

    every = [scene for path in scenes for scene in read_scenes(path)]
    written = sum(cut_backgrounds(progress(every, len(every), "cutting"), out, per_scene, seed))
    typer.echo(f"{out}: {written} patches from {len(every)} photographs")


def _look_at_fonts(folders: list[Path] | None) -> None:
    from wordsight.synth.fonts import font_index

    font_index(folders or None, lambda files: progress(files, len(files), "looking at fonts"))


def _write(source: "RenderedLines", out: Path, count: int, workers: int) -> None:
    from wordsight.synth.export import write_words

    began, done = time.perf_counter(), 0
    for done in progress(write_words(source, out, count, workers), -(-count // 50), "rendering"):  # noqa: B007
        pass
    speed = done / (time.perf_counter() - began)
    typer.echo(f"{out}: {done} crops in {source.faces} faces, {speed:.0f} words/s with {workers} worker(s)")
