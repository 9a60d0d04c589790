"""`wordsight models`."""

import typer

from wordsight.cli.app import app

models = typer.Typer(help="The models that come with wordsight.", no_args_is_help=True)
app.add_typer(models, name="models")


@models.command("list")
def list_models() -> None:
    """List them with size, charset and scores; the default one is starred."""
    from rich.console import Console
    from rich.table import Table

    from wordsight.runtime import DEFAULT, load_pack, shipped_models

    packs = [(name, load_pack(folder)) for name, folder in shipped_models().items()]
    if not packs:
        typer.echo("no models come with this installation; read with --model FOLDER")
        return
    table = Table("model", "architecture", "MB", "charset", "characters", "longest word", "scores", "licence", box=None)
    for name, pack in packs:
        scores = pack.about.get("scores") or {}
        table.add_row(
            f"{name} *" if name == DEFAULT else name,
            pack.architecture,
            f"{pack.bytes / 1e6:.1f}",
            pack.charset.name,
            str(len(pack.charset)),
            str(pack.max_length),
            ", ".join(f"{what} {score}" for what, score in scores.items()) or "not stated",
            str(pack.about.get("licence", "not stated")),
        )
    Console().print(table)
