"""Importers: data sets as their organisers distribute them, to `scenes.jsonl`; `unpacked` has what all of them need.

A new one is a module here with `DATA_SETS`, its data sets by name, and its name in `MODULES`.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from wordsight.data.importers.unpacked import DataSet, Unpacked
from wordsight.data.scenes import Scene, write_scenes
from wordsight.errors import ConfigError, DataError

MODULES = ("xml_files", "text_files", "json_files")


def collect(modules: Iterable[str]) -> dict[str, DataSet]:
    """The data sets that some modules of this package read, by the name that `wordsight data import` takes."""
    return {
        name: data_set
        for module in modules
        for name, data_set in import_module(f"{__name__}.{module}").DATA_SETS.items()
    }


DATA_SETS = collect(MODULES)
"""All of them, with licences as stated on their pages and in the literature."""


def import_scenes(name: str, files: Unpacked) -> Iterator[Scene]:
    """The scenes of data set `name` in `files`, one by one; what is left out is counted in `files.skipped`.

    Raises:
        ConfigError: there is no data set of that name.
        DataError: its annotations are not there, or broken.
    """
    if name not in DATA_SETS:
        raise ConfigError(f"{name}: no importer of that name: choose from {', '.join(DATA_SETS)}")
    try:
        for scene in DATA_SETS[name].read(files):
            yield replace(scene, dataset=name)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError, csv.Error) as error:
        raise DataError(
            f"{files.root}: not in the format of {DATA_SETS[name].title} ({type(error).__name__}: {error}): "
            "is it that data set, unpacked and not converted?"
        ) from error


def write_splits(scenes: list[Scene], out: Path) -> dict[str, Path]:
    """Writes `out/SPLIT/scenes.jsonl` for each split, or `out/scenes.jsonl` if none is known: split -> that file.

    Raises:
        DataError: it cannot be written.
    """
    written = {}
    for split in dict.fromkeys(scene.split for scene in scenes):
        written[split] = out / split / "scenes.jsonl"
        write_scenes(written[split], (scene for scene in scenes if scene.split == split))
    return written
