"""`wordsight synth`, `synth-backgrounds` and `synth-scene`: rendering words, and what they are rendered on."""

import time
from pathlib import Path

import typer

from wordsight.cli.app import app
from wordsight.cli.progress import progress


@app.command()
def synth(
    out: Path = typer.Option(..., help="Folder to write the images, labels.tsv and contact-sheet.png to."),
    count: int = typer.Option(1000, min=1, help="How many crops."),
    seed: int = typer.Option(0, help="Another seed, other words."),
    fonts: list[Path] | None = typer.Option(None, help="Folder of fonts; repeat for several. Default: the system's."),
    words: list[Path] | None = typer.Option(None, help="List of words, one a line or word TAB count; may be repeated."),
    backgrounds: Path | None = typer.Option(None, help="Folder of pictures to cut backgrounds from."),
    workers: int = typer.Option(1, min=1, help="Processes. The pictures do not depend on it."),
) -> None:
    """Render labelled word crops for training."""
    from wordsight.synth.export import write_words
    from wordsight.synth.fonts import font_index
    from wordsight.synth.words import RenderedWords

    font_index(fonts or None, lambda files: progress(files, len(files), "looking at fonts"))
    source = RenderedWords(seed=seed, fonts=fonts or None, words=words or (), backgrounds=backgrounds)
    began = time.perf_counter()
    done = 0
    for done in progress(write_words(source, out, count, workers), -(-count // 50), "rendering"):  # noqa: B007
        pass
    seconds = time.perf_counter() - began
    typer.echo(f"{out}: {done} crops in {source.faces} faces, {done / seconds:.0f} words/s with {workers} worker(s)")


@app.command("synth-backgrounds")
def synth_backgrounds(
    scenes: list[Path] = typer.Argument(help="Folders with scenes.jsonl whose every word is marked, or such files."),
    out: Path = typer.Option(..., help="Folder to write the patches to."),
    per_scene: int = typer.Option(4, min=1, help="Patches wanted of each photograph."),
    seed: int = typer.Option(0, help="Another seed, other patches."),
) -> None:
    """Cut patches without text out of labelled photographs, as backgrounds for `synth`."""
    from wordsight.data.scenes import read_scenes
    from wordsight.synth.patches import cut_backgrounds

    every = [scene for path in scenes for scene in read_scenes(path)]
    written = sum(cut_backgrounds(progress(every, len(every), "cutting"), out, per_scene, seed))
    typer.echo(f"{out}: {written} patches from {len(every)} photographs")


@app.command("synth-scene")
def synth_scene(
    out: Path = typer.Option(..., help="Picture to write; its ending says the format."),
    seed: int = typer.Option(0, help="Another seed, another street."),
    fonts: list[Path] | None = typer.Option(None, help="Folder of fonts; repeat for several. Default: the system's."),
) -> None:
    """Render a street with signs; print its words and their boxes as a line of scenes.jsonl."""
    import json

    from PIL import Image

    from wordsight.errors import DataError
    from wordsight.synth.scene import render_scene

    scene = render_scene(seed, fonts or None)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(out, optimize=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{out}: cannot be written ({error}); choose another --out") from error
    words = [{"polygon": word.polygon, "text": word.text, "legible": True} for word in scene.words]
    typer.echo(json.dumps({"image": out.name, "words": words}))
