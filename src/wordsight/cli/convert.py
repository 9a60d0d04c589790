"""`wordsight models convert`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from wordsight.cli.models import models
from wordsight.cli.options import Out
from wordsight.errors import ConfigError

if TYPE_CHECKING:
    from wordsight.text import Charset
    from wordsight.weights.choices import Triple
    from wordsight.weights.convert import Converted


@models.command()
def convert(
    out: Out,
    foreign: Path = typer.Argument(help="Checkpoint file (.pt, .ckpt, .bin, .safetensors ...) or folder."),
    heads: int | None = typer.Option(None, min=1, help="Give the image tower this many heads."),
    text_heads: int | None = typer.Option(None, min=1, help="Give the text tower this many heads."),
    decoder_heads: int | None = typer.Option(None, min=1, help="Give the decoders this many heads."),
    activation: Literal["quickgelu", "gelu"] | None = typer.Option(
        None, help="Give the towers this activation function."
    ),
    mean: str | None = typer.Option(None, metavar="R,G,B", help="Subtract this mean from inputs in 0..1."),
    std: str | None = typer.Option(None, metavar="R,G,B", help="Divide inputs by this standard deviation."),
    size: str | None = typer.Option(None, metavar="HxW", help="Take inputs of this size in pixels."),
    charset: str | None = typer.Option(
        None, help="Write this charset (36, 62 ...), or these characters in the order of the head."
    ),
    allow_unused: bool = typer.Option(False, "--allow-unused", help="Ignore tensors that the model does not use."),
) -> None:
    """Convert published weights to a checkpoint: CLIP (OpenAI, open_clip, Hugging Face), CLIP4STR, PARSeq, timm's ViT.

    Sizes are inferred from the tensors. What they do not determine is stated by the file or assumed, and printed.

    Options override what was assumed. Nothing in the file is executed.
    """
    from wordsight.cli.output import check_folder
    from wordsight.weights.choices import Options
    from wordsight.weights.convert import convert

    check_folder(out)
    options = Options(
        heads=heads,
        text_heads=text_heads,
        decoder_heads=decoder_heads,
        activation=activation,
        mean=_triple(mean, "--mean"),
        std=_triple(std, "--std"),
        size=_size(size),
        charset=_charset(charset),
    )
    converted = convert(foreign, options, allow_unused=allow_unused)
    converted.save(out)
    _report(converted, foreign, out)


def _report(converted: "Converted", foreign: Path, out: Path) -> None:
    typer.echo(f"{foreign}: {converted.source}")
    for title, lines in (("found", converted.found), ("assumed", converted.assumed), ("unused", converted.unused)):
        for line in lines:
            typer.echo(f"  {title}: {line}")
    if converted.new:
        typer.echo(f"  new, to be trained: {', '.join(converted.new)}")
    size = (out / "model.safetensors").stat().st_size
    architecture = converted.model.architecture
    trained = architecture != "clip" and not converted.new
    then = f"wordsight models export {out} -o PACK" if trained else "train from it, see docs/weights.md"
    typer.echo(f"{out}: {architecture}, {size / 1e6:.1f} MB; next: {then}")


def _triple(text: str | None, option: str) -> "Triple | None":
    if text is None:
        return None
    try:
        r, g, b = map(float, text.split(","))
    except ValueError:
        raise ConfigError(f"{option} {text!r} is not three numbers with commas between them") from None
    return r, g, b


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        height, width = map(int, text.lower().split("x"))
    except ValueError:
        raise ConfigError(f"--size {text!r} is not height x width, as in 32x128") from None
    return height, width


def _charset(text: str | None) -> "Charset | None":
    from wordsight.text import PRESETS, Charset

    if text is None:
        return None
    return Charset.preset(text) if text in PRESETS else Charset("converted", text)
