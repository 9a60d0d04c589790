"""Help texts, which a terminal of any width has to show."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from wordsight.cli.main import app


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for part, below in getattr(command, "commands", {}).items():
        yield from _commands(below, f"{name} {part}")


def test_paragraphs_have_no_line_breaks_of_their_own() -> None:
    """Typer joins the lines of the first paragraph only."""
    found = dict(_commands(typer.main.get_command(app), "wordsight"))
    assert "wordsight models convert" in found
    broken = [
        name
        for name, command in found.items()
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n")[1:]
        if "\n" in paragraph
    ]
    assert not broken
