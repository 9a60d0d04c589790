"""`wordsight synth` and its kin: rendering words, scenes and pages, and what words are rendered on."""

import time
from pathlib import Path

import typer

from wordsight.cli.app import app
from wordsight.cli.progress import progress


@app.command()
def synth(
    out: Path = typer.Option(..., help="Folder to write the images, labels.tsv and contact-sheet.png to."),
    count: int = typer.Option(1000, min=1, help="How many crops."),
    seed: int = typer.Option(0, help="Seed; another seed gives other words."),
    fonts: list[Path] | None = typer.Option(None, help="Folder of fonts; may be repeated. Default: the system's."),
    words: list[Path] | None = typer.Option(
        None, help="Word list, one word per line, or word TAB count; may be repeated."
    ),
    backgrounds: Path | None = typer.Option(None, help="Folder of pictures to cut backgrounds from."),
    settings: list[str] | None = typer.Option(
        None, "--set", metavar="KNOB=VALUE", help="A rendering knob, such as glare=0.2; may be repeated."
    ),
    workers: int = typer.Option(1, min=1, help="Processes; the pictures do not depend on this."),
) -> None:
    """Render labelled word crops for training."""
    from wordsight.synth.export import write_words
    from wordsight.synth.fonts import font_index
    from wordsight.synth.knobs import Knobs
    from wordsight.synth.words import RenderedWords

    knobs = Knobs().with_settings(settings or ())

    font_index(fonts or None, lambda files: progress(files, len(files), "looking at fonts"))
    source = RenderedWords(seed=seed, fonts=fonts or None, words=words or (), backgrounds=backgrounds, knobs=knobs)
    began = time.perf_counter()
    done = 0
    for done in progress(write_words(source, out, count, workers), -(-count // 50), "rendering"):  # noqa: B007
        pass
    seconds = time.perf_counter() - began
    typer.echo(f"{out}: {done} crops in {source.faces} faces, {done / seconds:.0f} words/s with {workers} worker(s)")


@app.command("synth-backgrounds")
def synth_backgrounds(
    scenes: list[Path] = typer.Argument(
        help="Folders with a scenes.jsonl in which every word is marked, or such files."
    ),
    out: Path = typer.Option(..., help="Folder to write the patches to."),
    per_scene: int = typer.Option(4, min=1, help="Patches per photograph."),
    seed: int = typer.Option(0, help="Seed; another seed gives other patches."),
) -> None:
    """Cut patches without text out of labelled photographs, as backgrounds for `synth`."""
    from wordsight.data.scenes import read_scenes
    from wordsight.synth.patches import cut_backgrounds

    every = [scene for path in scenes for scene in read_scenes(path)]
    written = sum(cut_backgrounds(progress(every, len(every), "cutting"), out, per_scene, seed))
    typer.echo(f"{out}: {written} patches from {len(every)} photographs")


@app.command("synth-scene")
def synth_scene(
    out: Path = typer.Option(..., help="Picture to write; the file extension sets the format."),
    seed: int = typer.Option(0, help="Seed; another seed gives another street."),
    fonts: list[Path] | None = typer.Option(None, help="Folder of fonts; may be repeated. Default: the system's."),
) -> None:
    """Render a street with signs, and print its words and boxes as a line of scenes.jsonl."""
    import json

    from PIL import Image

    from wordsight.errors import DataError
    from wordsight.files import replacing
    from wordsight.synth.scene import render_scene

    scene = render_scene(seed, fonts or None)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as new:
            Image.fromarray(scene.image).save(new, optimize=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{out}: cannot be written ({reason}); choose another --out") from error
    words = [{"polygon": word.polygon, "text": word.text, "legible": True} for word in scene.words]
    typer.echo(json.dumps({"image": out.name, "words": words}))


@app.command("synth-scenes")
def synth_scenes(
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
    from wordsight.synth.places import RenderedScenes, write_places, write_sheet
    from wordsight.synth.places_words import WORDS, load_vocabularies, one_word_each

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


@app.command("synth-pages")
def synth_pages(
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
    from wordsight.synth.pages import RenderedPages
    from wordsight.synth.places_export import write_places
    from wordsight.synth.places_words import WORDS, load_vocabularies

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
