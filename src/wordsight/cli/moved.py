"""Commands that have another name now: each says it and ends, as invalid usage."""

import typer

from wordsight.cli.app import app
from wordsight.cli.options import refuse

_LABORATORY = "wordsight-research {}: install it with pip install ./research, in wordsight's source"
_NEW = {
    "convert": "wordsight models convert",
    "export": "wordsight models export",
    "calibrate": "wordsight models calibrate",
    "synth-scene": "wordsight synth scenes",
    "synth-backgrounds": "wordsight synth backgrounds",
    "ablate": _LABORATORY.format("ablate"),
    "context": _LABORATORY.format("context"),
    "pretrain": _LABORATORY.format("pretrain"),
    "zeroshot": _LABORATORY.format("zeroshot"),
    "synth-scenes": _LABORATORY.format("scenes"),
    "synth-pages": _LABORATORY.format("pages"),
}
_TAKES_ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _say_new_name(context: typer.Context) -> None:
    refuse(f"{context.info_name} is now {_NEW[str(context.info_name)]}")


for _old in _NEW:
    app.command(_old, hidden=True, context_settings=_TAKES_ANYTHING)(_say_new_name)
