"""Folders that a command is going to fill."""

import os
from pathlib import Path

from wordsight.errors import ConfigError


def check_folder(path: Path) -> None:
    """Before minutes of work, not after: whether a folder is there or can be made, and be written to.

    Raises:
        ConfigError: it cannot.
    """
    whole = path.resolve()
    there = next(place for place in (whole, *whole.parents) if place.exists())
    if not there.is_dir():
        raise ConfigError(f"{path}: {there} is a file, but a folder is needed: choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: {there} is not writable: choose another place")
