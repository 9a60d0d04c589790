"""`wordsight-research`: gathers the commands."""

from importlib import import_module

from wordsight.cli.main import run
from wordsight_research.cli.app import app

for _command in ("ablate", "context", "pretrain", "zeroshot", "render"):
    import_module(f"wordsight_research.cli.{_command}")


@app.callback()
def _options() -> None:
    """Reproduces the experiments of CLIP4STR's and CLIPTER's papers, and those on how wordsight is trained."""


def main() -> None:
    """Entry point of the `wordsight-research` script; errors and exit status are those of `wordsight`."""
    run(app, "wordsight-research")
