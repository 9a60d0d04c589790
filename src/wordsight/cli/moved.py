"""Commands that have moved to the laboratory: each says its new name."""

import typer

from wordsight.cli.app import app
from wordsight.cli.options import refuse

_NEW = {
    "ablate": "ablate",
    "context": "context",
    "pretrain": "pretrain",
    "zeroshot": "zeroshot",
    "synth-scenes": "scenes",
    "synth-pages": "pages",
}
_TAKES_ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _say_new_name(context: typer.Context) -> None:
    old = str(context.info_name)
    refuse(
        f"{old} is now wordsight-research {_NEW[old]}: install it with pip install ./research, in wordsight's source"
    )


for _old in _NEW:
    app.command(_old, hidden=True, context_settings=_TAKES_ANYTHING)(_say_new_name)
