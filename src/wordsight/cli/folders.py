"""Folders that a command writes to."""

import os
from pathlib import Path

from wordsight.errors import ConfigError


def check_folder(path: Path) -> None:
    """Checks, before minutes of work and not after, that a folder exists or can be created, and can be written to.

    Raises:
        ConfigError: it cannot be.
    """
    whole = path.resolve()
    there = next(place for place in (whole, *whole.parents) if place.exists())
    if not there.is_dir():
        raise ConfigError(f"{path}: {there} is a file, but a folder is needed: choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: {there} is not writable: choose another place")
