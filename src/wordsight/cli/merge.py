"""`wordsight models merge`."""

from pathlib import Path

import typer

from wordsight.cli.models import models
from wordsight.cli.options import Out
from wordsight.errors import ConfigError


@models.command("merge")
def merge_(
    out: Out,
    parts: list[str] = typer.Argument(
        metavar="[SHARE=]FOLDER...", help="Checkpoint folders and their shares, which add up to 1. Default: equal."
    ),
) -> None:
    """Write the mean of the weights of several recognizers that began with the same weights, as float16.

    They must have the same shape. The facts stored with the last one are stored with the mean.
    """
    from wordsight.cli.output import check_folder
    from wordsight.models.merging import merge

    check_folder(out)
    shares = {}
    alone = all(Path(part).is_dir() for part in parts)
    for part in parts:
        share, _, folder = ("", "", part) if alone else part.partition("=")
        try:
            shares[Path(folder)] = 1 / len(parts) if alone else float(share)
        except ValueError:
            raise ConfigError(f"{part} is not SHARE=FOLDER: write 0.5=FOLDER, or give folders alone") from None
    merge(shares, out)
    typer.echo(f"{out}: mean of {len(parts)}; next: wordsight models export {out} -o PACK")
