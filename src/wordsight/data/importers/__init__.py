"""Data sets as their organisers distribute them, to `scenes.jsonl`: a reader each, what all need in `unpacked`."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wordsight.data.importers import (
    baidu,
    coco_like,
    ctw1500,
    hiertext,
    icdar2013,
    icdar2015,
    quads,
    tagset,
    totaltext,
    ubertext,
)
from wordsight.data.importers.unpacked import Unpacked
from wordsight.data.scenes import Scene, write_scenes
from wordsight.errors import ConfigError, DataError


@dataclass(frozen=True)
class DataSet:
    """A data set that can be imported.

    Attributes:
        title: its name in papers.
        licence: as its organisers or those who asked them state it; the user's to check.
        address: where it can be downloaded.
        seen: whether the importer has been run on files of the organisers.
        read: yields its scenes.
    """

    title: str
    licence: str
    address: str
    seen: bool
    read: Callable[[Unpacked], Iterator[Scene]]


_RRC = "rrc.cvc.uab.es"
_BY, _BY_SA = "CC BY 4.0", "CC BY-SA 4.0"

DATA_SETS: dict[str, DataSet] = {
    "ic03": DataSet(
        "ICDAR 2003", "none stated", "www.iapr-tc11.org (ICDAR 2003 Robust Reading)", True, tagset.read_icdar2003
    ),
    "ic13": DataSet("ICDAR 2013", "none stated", f"{_RRC}/?ch=2", True, icdar2013.read),
    "ic15": DataSet("ICDAR 2015", _BY, f"{_RRC}/?ch=4", True, icdar2015.read),
    "svt": DataSet("Street View Text", "none stated", "vision.ucsd.edu/~kai/svt", True, tagset.read_svt),
    "totaltext": DataSet(
        "Total-Text",
        "non-commercial academic use only, no redistribution (terms of 1 October 2026)",
        "github.com/cs-chan/Total-Text-Dataset",
        False,
        totaltext.read,
    ),
    "ctw1500": DataSet(
        "SCUT-CTW1500", "non-commercial research", "github.com/Yuliang-Liu/Curve-Text-Detector", False, ctw1500.read
    ),
    "cocotext": DataSet(
        "COCO-Text", f"annotations {_BY}; pictures: Flickr's terms", "vision.cornell.edu/se3/coco-text-2", False,
        coco_like.read_cocotext,
    ),
    "textocr": DataSet("TextOCR", _BY, "textvqa.org/textocr", False, coco_like.read_textocr),
    "hiertext": DataSet("HierText", _BY_SA, "github.com/google-research-datasets/hiertext", False, hiertext.read),
    "intelocr": DataSet(
        "IntelOCR (text of Open Images V5)",
        "Apache-2.0 as listed by Union14M; pictures CC BY",
        "github.com/openvinotoolkit/training_extensions",
        False,
        coco_like.read_intelocr,
    ),
    "ubertext": DataSet(
        "Uber-Text", _BY_SA, "s3-us-west-2.amazonaws.com/uber-common-public/ubertext", False, ubertext.read
    ),
    "art": DataSet("ArT", "non-commercial", f"{_RRC}/?ch=14", False, baidu.read_art),
    "lsvt": DataSet("LSVT", "non-commercial", f"{_RRC}/?ch=16", False, baidu.read_lsvt),
    "rctw17": DataSet(
        "RCTW-17", "stated by its authors in e-mails only", f"{_RRC} and rctw.vlrlab.net", False, quads.read_rctw17
    ),
    "rects": DataSet("ReCTS", "not known", f"{_RRC}/?ch=12", False, baidu.read_rects),
    "mlt19": DataSet(
        "MLT 2019", "sources disagree: CC BY 4.0 or CC BY-NC 4.0", f"{_RRC}/?ch=15", False, quads.read_mlt19
    ),
}  # fmt: skip
"""By the name that `wordsight data import` takes. Licences: read in their pages and in the field's tables of them."""


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
    """Writes `out/SPLIT/scenes.jsonl` for each split, or `out/scenes.jsonl` where none is known: split -> that file.

    Raises:
        DataError: it cannot be written.
    """
    written = {}
    for split in dict.fromkeys(scene.split for scene in scenes):
        written[split] = out / split / "scenes.jsonl"
        write_scenes(written[split], (scene for scene in scenes if scene.split == split))
    return written
