"""`wordsight train`."""

from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli.app import app
from wordsight.cli.options import Start


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    recipe: Path = typer.Argument(help="A YAML file, for example recipes/latin.yaml."),
    start: Annotated[str | None, Start] = None,
) -> None:
    """Train a recognizer or detector from a recipe. Further flags override its keys, as in --trainer.max_steps=1000.

    --ckpt_path=FILE resumes an interrupted run. All keys: wordsight train RECIPE --print_config.
    """
    from wordsight.train import run_recipe

    flags = list(context.args)
    if start is not None:
        from wordsight.weights.starts import checkpoint_folder

        flags.append(f"--model.start={checkpoint_folder(start)}")
    if line := run_recipe(recipe, flags):
        typer.echo(line)
