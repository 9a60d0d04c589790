"""`wordsight-research scenes` and `pages`: rendered scenes whose words depend on the place."""

from pathlib import Path

import typer

from wordsight.cli.progress import progress
from wordsight_research.cli.app import app


@app.command()
def scenes(
    out: Path = typer.Option(..., help="Folder to write the images and scenes.jsonl to."),
    count: int = typer.Option(1000, min=1, help="How many scenes, of 3 to 6 words each."),
    seed: int = typer.Option(0, help="Seed; give training and test scenes different ones."),
    informative: float = typer.Option(
        1.0, min=0, max=1, help="How often a word is specific to its place; 0: words do not depend on the place."
    ),
    wear: float = typer.Option(
        0.5, min=0, max=1, help="How worn the words are: 0 is new; at 1, every second word is barely legible."
    ),
    blank: bool = typer.Option(
        False, help="Leave boards empty, one word per place: only the place gives the word away."
    ),
    vocabulary: Path | None = typer.Option(None, help="Words by place: lines of place TAB word, in any script."),
    sheet: Path | None = typer.Option(None, help="Also write a contact sheet of some of the scenes to this file."),
    fonts: list[Path] | None = typer.Option(None, help="Folder of fonts; may be repeated. Default: the system's."),
    workers: int = typer.Option(1, min=1, help="Processes; the pictures do not depend on this."),
) -> None:
    """Render scenes of cafes, stations, markets, ... whose words depend more or less on the place."""
    from wordsight_research.places.export import write_places, write_sheet
    from wordsight_research.places.scenes import RenderedScenes
    from wordsight_research.places.words import WORDS, load_vocabularies, one_word_each

    words = WORDS if vocabulary is None else load_vocabularies(vocabulary)
    source = RenderedScenes(
        count,
        seed,
        informative=informative,
        wear=wear,
        vocabularies=one_word_each(words) if blank else words,
        blank=blank,
        fonts=fonts or None,
        watch=lambda files: progress(files, len(files), "looking at fonts"),
    )
    for _ in progress(write_places(source, out, workers), -(-count // 20), "rendering"):
        pass
    if sheet is not None:
        write_sheet(source, sheet)
    typer.echo(f"{out}: {count} scenes of {len(words)} places, which reveal {source.information:.2f} bits about a word")


@app.command()
def pages(
    out: Path = typer.Option(..., help="Folder to write the images and scenes.jsonl to."),
    count: int = typer.Option(100, min=1, help="How many pages, of about 120 words each."),
    seed: int = typer.Option(0, help="Seed; another seed gives other pages."),
    informative: float = typer.Option(1.0, min=0, max=1, help="How often a word belongs to the topic of its page."),
    wear: float = typer.Option(0.5, min=0, max=1, help="How badly the words are printed, from 0 (well) to 1 (badly)."),
    vocabulary: Path | None = typer.Option(None, help="Words by topic: lines of topic TAB word, in any script."),
    fonts: list[Path] | None = typer.Option(None, help="Folder of fonts; may be repeated. Default: the system's."),
    workers: int = typer.Option(1, min=1, help="Processes; the pictures do not depend on this."),
) -> None:
    """Render pages of text, each about one topic."""
    from wordsight_research.places.export import write_places
    from wordsight_research.places.pages import RenderedPages
    from wordsight_research.places.words import WORDS, load_vocabularies

    source = RenderedPages(
        count,
        seed,
        informative=informative,
        wear=wear,
        vocabularies=WORDS if vocabulary is None else load_vocabularies(vocabulary),
        fonts=fonts or None,
        watch=lambda files: progress(files, len(files), "looking at fonts"),
    )
    for _ in progress(write_places(source, out, workers), -(-count // 20), "rendering"):
        pass
    typer.echo(f"{out}: {count} pages, each of which reveals {source.information:.2f} bits about a word")
