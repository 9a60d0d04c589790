"""Tells PyInstaller what a frozen application needs that no import names: models, word lists, and late imports."""

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Folders of hooks: PyInstaller asks for them by the entry point `pyinstaller40`."""
    return [str(Path(__file__).parent)]
