"""The reference of the command line, from what `--help` says."""

from collections.abc import Iterator
from typing import Any

import typer

from wordsight.cli.main import app


def reference() -> str:
    """All commands as Markdown: a section for each, with its usage, arguments and options."""
    return "\n".join(_section("wordsight", typer.main.get_command(app)))


def _section(name: str, command: Any) -> Iterator[str]:
    if command.hidden:  # an old name
        return
    if hasattr(command, "commands"):
        for part, below in command.commands.items():
            yield from _section(f"{name} {part}", below)
        return
    context = command.context_class(command, info_name=name)
    pieces = " ".join(piece.replace("{", "").replace("}...", "") for piece in command.collect_usage_pieces(context))
    yield f"## {name}\n\n```text\n{name} {pieces}\n```\n\n{command.help}\n"
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record:
            term, text = record
            yield f"`{term}`\n: {_escaped(text)}\n"


def _escaped(text: str) -> str:
    """Without what Markdown would take for markup."""
    return "".join(f"\\{character}" if character in "*_<>[]" else character for character in text)
