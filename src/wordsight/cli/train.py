"""`wordsight train`."""

from pathlib import Path

import typer

from wordsight.cli.app import app


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    recipe: Path = typer.Argument(help="YAML file, for example recipes/tiny.yaml."),
) -> None:
    """Train a recognizer or detector from a recipe. Further flags override its keys, as in --trainer.max_steps=1000.

    --ckpt_path=FILE resumes an interrupted run. All keys: wordsight train RECIPE --print_config.
    """
    from wordsight.train import run_recipe

    if line := run_recipe(recipe, context.args):
        typer.echo(line)
