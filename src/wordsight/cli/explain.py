"""`wordsight explain`."""

from pathlib import Path

import typer

from wordsight.cli.app import app


@app.command()
def explain(
    crop: Path = typer.Argument(help="Picture of one word."),
    out: Path = typer.Option(
        ..., "--out", "-o", metavar="FILE", help="Write this picture; its extension sets the format."
    ),
    model: str = typer.Option(
        "small",
        "--model",
        "-m",
        help="Explain small, another pack of CLIP4STR or PARSeq, or this checkpoint folder.",
    ),
) -> None:
    """Draw how a word is read: where the decoders attend for each character, and the reading after each stage."""
    from wordsight.cli.output import check_file, save_picture
    from wordsight.explain.drawing import draw_explanation
    from wordsight.explain.reading import open_explainer
    from wordsight.imaging import load_image

    check_file(out, picture=True)
    pixels = load_image(crop)
    explanation = open_explainer(model)(pixels)
    save_picture(draw_explanation(pixels, explanation), out)
    for stage, reading in explanation.stages:
        typer.echo(f"{stage:<28} {reading.text or '(nothing)'}  {100 * reading.confidence:.1f} %")
    for char in explanation.result.chars:
        others = ", ".join(f"{text or 'end'} {100 * p:.1f} %" for text, p in char.alternatives)
        typer.echo(f"  {char.text}  {100 * char.probability:5.1f} %  ({others})")
    typer.echo(f"{out}: written")
