"""`wordsight-research zeroshot`."""

from pathlib import Path

import typer

from wordsight_research.cli.app import app


@app.command()
def zeroshot(
    image: Path = typer.Argument(help="Picture."),
    texts: list[str] = typer.Option(..., "--texts", "-t", help="Text to compare it with; may be repeated."),
    clip: Path = typer.Option(
        ..., "--clip", help="Checkpoint folder with CLIP's towers (wordsight models convert makes it)."
    ),
    occlude: list[str] = typer.Option(
        [], "--occlude", help="Cover the rectangle x,y,w,h (pixels) first; may be repeated."
    ),
    out: Path | None = typer.Option(
        None, "--out", "-o", help="Picture to write that shows the evidence for each text."
    ),
) -> None:
    """Ask CLIP which of some texts a picture shows, and where: can CLIP read without being trained to?"""
    from rich.console import Console
    from rich.table import Table

    from wordsight.cli.output import check_file, save_picture
    from wordsight.imaging import load_image
    from wordsight_research.clip.drawing import draw_relevance
    from wordsight_research.clip.zeroshot import load_clip, match, relevance
    from wordsight_research.clip.zeroshot import occlude as cover

    if out:
        check_file(out, picture=True)
    boxes = [_box(text) for text in occlude]
    whole = load_image(image)
    seen = cover(whole, boxes)
    model = load_clip(clip)
    found = match(model, seen, texts)
    table = Table("text", "cosine", "logit", "probability", box=None)
    before = match(model, whole, texts) if boxes else []
    if boxes:
        table.add_column("uncovered")
    for i, one in enumerate(found):
        uncovered = [f"{before[i].probability:.3f}"] if boxes else []
        table.add_row(one.text, f"{one.cosine:.4f}", f"{one.logit:.3f}", f"{one.probability:.3f}", *uncovered)
    Console().print(table)
    if out:
        texts_found = [(one.text, one.probability) for one in found]
        save_picture(draw_relevance(seen, texts_found, relevance(model, seen, texts)), out)
        typer.echo(f"{out}: written")


def _box(text: str) -> tuple[int, int, int, int]:
    from wordsight.errors import ConfigError

    try:
        x, y, w, h = (int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--occlude {text}: give four whole numbers, x,y,w,h") from None
    return x, y, w, h
