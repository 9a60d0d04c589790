"""The facts that `wordsight models info` prints: of a pack, a detector, a checkpoint folder, or published weights."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wordsight.detect import DetectorPack
    from wordsight.runtime import Pack
    from wordsight.text import Charset

Row = tuple[str, str]
"""A name and a value, for people."""


def describe(model: str) -> Iterator[Row]:
    """Rows on the model of that name or in that folder.

    Raises:
        ModelError: there is no such model, or it is damaged.
        ModuleNotFoundError: it is a checkpoint, and PyTorch is not installed.
    """
    from wordsight.cli.recognizers import find_ours
    from wordsight.detect import packs
    from wordsight.weights.catalogue import PUBLISHED

    if model in PUBLISHED:
        yield from _published(model)
    elif model in (packs.DEFAULT, packs.PPOCR) or (Path(model) / packs.MANIFEST).is_file():
        yield from _detector(packs.find_detector(model))
    elif isinstance(found := find_ours(model), Path):
        yield from _checkpoint(found)
    else:
        yield from _pack(found)


def _pack(pack: "Pack") -> Iterator[Row]:
    yield "model", pack.name
    yield "kind", f"pack of {pack.architecture}, decoded as {pack.kind.name}"
    yield "folder", str(pack.folder)
    yield "size", _megabytes(pack.bytes)
    for name, graph in pack.graphs.items():
        yield f"  {name}", f"{graph.file}, {_megabytes((pack.folder / graph.file).stat().st_size)}"
    yield "input", f"{pack.preprocessing.width or 'any width'} x {pack.preprocessing.height} pixels"
    yield "charset", _charset(pack.charset)
    yield "longest word", f"{pack.max_length} characters"
    yield "scenes", "words are read with their photo (CLIPTER)" if pack.scene else "words are read without their photo"
    yield from ((what, _said(said)) for what, said in pack.about.items())


def _detector(pack: "DetectorPack") -> Iterator[Row]:
    graphs = [graph for graph in (pack.file, pack.glance) if graph]
    yield "model", pack.name
    yield "kind", "pack of a text detector, for --detector"
    yield "folder", str(pack.file.parent)
    yield "size", _megabytes(sum(graph.stat().st_size for graph in graphs))
    for graph in graphs:
        yield f"  {graph.stem}", f"{graph.name}, {_megabytes(graph.stat().st_size)}"
    yield "thresholds", f"boxes {pack.min_score}, pixels {pack.threshold}, blocks of the glance {pack.suspicion}"
    yield "boxes", f"expanded by {pack.unclip} x area / perimeter"
    yield from ((what, _said(said)) for what, said in pack.about.items())


def _checkpoint(folder: Path) -> Iterator[Row]:
    from wordsight.models import checkpoint
    from wordsight.models.clipter.model import Gate
    from wordsight.models.recognizer import Recognizer

    model, about = checkpoint.load(folder)
    weights = dict(model.named_parameters())
    yield "model", folder.name
    yield "kind", f"checkpoint of {model.architecture}, to fine-tune or export"
    yield "folder", str(folder)
    yield "size", f"{_megabytes(sum(f.stat().st_size for f in folder.iterdir() if f.is_file()))}, {_count(weights)}"
    for part in dict.fromkeys(name.split(".")[0] for name in weights):
        inside = {name: each for name, each in weights.items() if name.split(".")[0] == part}
        yield f"  {part}", _count(inside)
    for name, module in model.named_modules():
        if isinstance(module, Gate):
            yield f"gate {name}", f"{module.value.item():.4f} of the scene"
    if isinstance(model, Recognizer):
        yield "charset", _charset(model.cfg.charset)
    yield from ((what, _said(said)) for what, said in about.items())


def _published(name: str) -> Iterator[Row]:
    from wordsight.evaluate.benchmarks import published
    from wordsight.weights.catalogue import PUBLISHED

    weights = PUBLISHED[name]
    yield "model", name
    yield "kind", f"published weights: {weights.what}"
    yield "trained on", weights.trained_on
    yield "size", f"{weights.megabytes} MB"
    yield "licence", weights.licence
    yield "page", weights.page
    for row in published():
        if row.suite == "parseq-full" and row.model == weights.scores_as:
            yield "word accuracy as published", ", ".join(f"{what} {score}" for what, score in row.scores.items())
    yield "to get it", weights.how(name)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _charset(charset: "Charset") -> str:
    return f"{charset.name}, {len(charset)} characters: {charset.characters}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _count(weights: Mapping[str, Any]) -> str:
    return f"{sum(each.numel() for each in weights.values()):,} weights"
