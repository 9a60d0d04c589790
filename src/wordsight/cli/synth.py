"""`wordsight synth` and its kin: rendering words and scenes, and what words are rendered on."""

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
