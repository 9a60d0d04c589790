"""The Typer application that the commands join."""

import typer

app = typer.Typer(
    name="wordsight",
    help="Reads the words in photographs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
