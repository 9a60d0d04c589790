"""Detectors on disk: the shipped one, PP-OCR's in the `rapidocr` wheel, and packs that `models export` writes."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from wordsight.detect.glance import SUSPICION
from wordsight.errors import ConfigError, ModelError, no_pack_yet

DEFAULT = "lines"
"""PP-OCRv6 small's, trained further on lines of words in photographs, straight and bent."""

PPOCR = "ppocr"
"""PP-OCRv6 small's as published."""

MANIFEST = "detector.json"
GRAPH = "map.onnx"
GLANCE = "glance.onnx"
FORMAT = 1
_MOST_UNCLIP = 10.0
_SHIPPED = Path(__file__).parents[1] / "detectors"
_WHEEL = "PP-OCRv6_det_small.onnx"

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class DetectorPack:
    """A detector's graph, pictures (B, 3, H, W) to probabilities of text (B, 1, H, W), and how it is used.

    Attributes:
        name: for people.
        file: the ONNX graph.
        mean: of the input's R, G and B, from 0 to 1, subtracted.
        std: of the same, divided by.
        glance: a graph that says where it need not look, half as large pictures (B, 3, H / 2, W / 2) to probabilities
            of text in blocks of 16 pixels, (B, H / 16, W / 16); None: it always looks everywhere.
        suspicion: probability of a block from which on it is looked at.
        blue_first: whether channels are in OpenCV's order.
        threshold: probability of a pixel from which on it is text.
        min_score: mean probability of a region from which on it counts.
        unclip: how far boxes reach around the core of a region, times its area by its perimeter.
        about: training data, scores, licence and the like.

    Raises:
        ConfigError: a number is none, or out of range.
    """

    name: str
    file: Path
    mean: Triple
    std: Triple
    glance: Path | None = None
    suspicion: float = SUSPICION
    blue_first: bool = False
    threshold: float = 0.3
    min_score: float = 0.5
    unclip: float = 1.5
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("suspicion", "threshold", "min_score"):
            _check(name, getattr(self, name), 0.0, 1.0)
        _check("unclip", self.unclip, 0.0, _MOST_UNCLIP)
        for value in self.mean:
            _check("mean", value, 0.0, 1.0)
        for value in self.std:
            _check("std", value, 1e-3, 1e3)
        if not isinstance(self.blue_first, bool):
            raise ConfigError("blue_first must be true or false")


def _check(name: str, value: object, least: float, most: float) -> None:
    try:
        good = isinstance(value, Real) and least <= float(value) <= most
    except OverflowError:  # a whole number beyond all floats
        good = False
    if not good:
        raise ConfigError(f"{name} must be a number from {least:g} to {most:g}")


def find_detector(name_or_path: str | Path = DEFAULT) -> DetectorPack:
    """The detector called so, else the pack in the folder.

    Raises:
        ModelError: it is neither, or damaged.
    """
    if str(name_or_path) == PPOCR:
        return _ppocr()
    folder = _SHIPPED / DEFAULT if str(name_or_path) == DEFAULT else Path(name_or_path)
    if (folder / MANIFEST).is_file():
        return _read(folder)
    if (folder / "model.safetensors").is_file():
        raise ModelError(no_pack_yet(folder))
    raise ModelError(
        f"{str(name_or_path)!r} is not a detector: give {DEFAULT}, {PPOCR}, or the folder of a pack with {MANIFEST}"
    )


def _ppocr() -> DetectorPack:
    """That of the wheel, with RapidOCR's thresholds (`config.yaml`), but shown pictures as in PaddleOCR.

    RapidOCR takes 0.5 for mean and deviation. On 45 held-out training scenes of ICDAR 2015 it then covers 78.9 % of the
    228 legible words, 87.6 % of its boxes being on words; with those of ImageNet, in PaddleOCR's order B, G, R, 83.8 %
    and 85.3 %. On 48 scenes of ICDAR 2003 both cover 96.4 %.

    Unclipped by RapidOCR's 1.6, boxes are wider than labels: on 156 training scenes of ICDAR 2015, lines cut at the
    annotated gaps had an H-mean (IoU > 0.5) of 69.7 at 1.6, 74.7 at 1.2, 76.1 at 1.0 and 76.9 at 0.85. Not lower than
    1.0, for the sake of what is read.
    """
    spec = importlib.util.find_spec("rapidocr")  # found, not imported: it would configure logging and load much
    if spec is None or spec.origin is None:
        raise ModelError(f"the detector {PPOCR!r} comes with rapidocr: pip install 'rapidocr>=3.10,<4'")
    file = Path(spec.origin).parent / "models" / _WHEEL
    if not file.is_file():
        raise ModelError(f"{file} is missing: pip install --force-reinstall 'rapidocr>=3.10,<4'")
    return DetectorPack(PPOCR, file, (0.406, 0.456, 0.485), (0.225, 0.224, 0.229), blue_first=True, unclip=1.0)


def write_detector(pack: DetectorPack) -> None:
    """Writes the manifest of a pack beside its graph."""
    values = asdict(pack) | {"file": pack.file.name, "format": FORMAT, "sha256": _hash(pack.file)}
    if pack.glance:
        values |= {"glance": pack.glance.name, "glance_sha256": _hash(pack.glance)}
    (pack.file.parent / MANIFEST).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(folder: Path) -> DetectorPack:
    cure = "export it again"
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise ModelError(f"{folder / MANIFEST} is of another version: {cure}")
        stated, name = values.pop("sha256"), Path(values.pop("file")).name
        mean, std = (_triple(values.pop(key)) for key in ("mean", "std"))
        hashes = {folder / name: stated}
        if glance := values.pop("glance", None):
            glance = folder / Path(glance).name
            hashes[glance] = values.pop("glance_sha256")
        pack = DetectorPack(file=folder / name, mean=mean, std=std, glance=glance, **values)
        for file, stated in hashes.items():
            if _hash(file) != stated:
                raise ValueError(f"{file.name} has changed")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        raise ModelError(f"detector pack {folder} is damaged ({type(error).__name__}: {error}): {cure}") from None
    return pack


def _triple(values: list[float]) -> Triple:
    red, green, blue = map(float, values)
    return red, green, blue


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
