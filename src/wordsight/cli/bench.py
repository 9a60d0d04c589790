"""`wordsight bench`."""

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from wordsight.cli.app import app
from wordsight.cli.options import DEFAULT_MODEL, DecodingMode, JsonFile, ModelArgument, Threads

if TYPE_CHECKING:
    from wordsight.decoding import Mode
    from wordsight.runtime import Pack

Times = dict[str, list[float]]
"""Stage -> seconds that each run of it took."""

_BATCHES = (1, 32)
_CROP = (3.0, 32)  # a word: times as wide as high, rows


@app.command()
def bench(
    model: ModelArgument = DEFAULT_MODEL,
    photos: list[Path] | None = typer.Argument(
        None, metavar="[PHOTO]...", help="Pictures to read. Default: a rendered one with a few words."
    ),
    rounds: int = typer.Option(20, min=1, help="Read each photo this many times."),
    threads: Threads = None,
    mode: DecodingMode = "adaptive",
    json_file: JsonFile = None,
) -> None:
    """Measure how long reading takes here: by stage, per photo and per word, median and 95th percentile; memory, FLOPs.

    What else runs on the machine counts, too: measure on a quiet one.
    """
    import json

    import numpy as np
    from rich.console import Console
    from rich.table import Column, Table

    from wordsight.files import write_text
    from wordsight.runtime import find_model, load_pack
    from wordsight.runtime.sessions import processors
    from wordsight.weights.catalogue import refuse_published

    refuse_published(model)
    pack = load_pack(find_model(model))
    threads = threads or processors()
    times, provider = measure(pack, photos or [], rounds, threads, mode)
    columns = (Column(name, justify="right") for name in ("n", "median, ms", "p95, ms"))
    table = Table("stage", *columns, title=f"{pack.name}, {threads} threads, {provider}", title_justify="left")
    for stage, seconds in times.items():
        table.add_row(stage, str(len(seconds)), *(f"{1000 * np.percentile(seconds, q):.1f}" for q in (50, 95)))
    Console().print(table)
    typer.echo(f"peak memory of this process: {peak_memory():.0f} MB; the pack: {pack.bytes / 1e6:.1f} MB")
    for name, count in flops(pack).items():
        typer.echo(f"{name}: {count / 1e6:,.0f} MFLOPs for one crop (multiplications and additions)")
    if json_file:
        write_text(json_file, json.dumps({"model": pack.name, "threads": threads, "seconds": times}) + "\n")


def _timed(thing: Any, method: str) -> list[float]:
    """The seconds of each call of a method, from now on."""
    call, seconds = getattr(thing, method), list[float]()

    def run(*given: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*given, **named)
        finally:
            seconds.append(time.perf_counter() - start)

    setattr(thing, method, run)
    return seconds


def measure(pack: "Pack", photos: Sequence[Path], rounds: int, threads: int, mode: "Mode") -> tuple[Times, str]:
    """Reads each photo `rounds` times, after a first time that does not count, and crops in batches.

    Returns:
        The times of stages, and what the recognizer ran on.

    Raises:
        ImageError: a photo cannot be read.
    """
    import numpy as np

    from wordsight.detect import TextDetector
    from wordsight.imaging import batches, load_image
    from wordsight.reader import Reader
    from wordsight.runtime import OnnxRecognizer

    recognizer, detector = OnnxRecognizer(pack, "auto", threads, mode=mode), TextDetector(threads=threads)
    finding, reading = _timed(detector, "detect"), _timed(recognizer, "read")
    reader = Reader.of(recognizer, detector)
    times: Times = {}
    for photo in photos or [_scene()]:
        for number in range(rounds + 1):
            finding.clear()
            reading.clear()
            start = time.perf_counter()
            picture = load_image(photo) if isinstance(photo, Path) else photo
            loaded = time.perf_counter()
            reader.read(picture)
            end = time.perf_counter()
            if number:
                found, read = sum(finding), sum(reading)
                stages = (loaded - start, found, read, end - loaded - found - read, end - start)
                for stage, seconds in zip(_STAGES, stages, strict=True):
                    times.setdefault(stage, []).append(seconds)
    height = _CROP[1]
    noise = np.random.default_rng(0).integers(0, 256, (height, round(_CROP[0] * height), 3), np.uint8)
    for size in _BATCHES:
        (batch,) = batches([noise] * size, recognizer.preprocessing, size)
        for number in range(rounds + 1):
            start = time.perf_counter()
            recognizer.read(batch.images)
            if number:
                times.setdefault(f"recognizer, per word, batch {size}", []).append((time.perf_counter() - start) / size)
    return times, recognizer.provider


_STAGES = ("photo: open", "photo: find text", "photo: recognize", "photo: the rest", "photo: all")


def _scene() -> Any:
    """A picture of a few words, used if no photo is given."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (1280, 960), (196, 190, 178))
    draw = ImageDraw.Draw(picture)
    for k, text in enumerate(("MORNING COFFEE", "Fresh bread every day", "Open 7:30 - 18:00", "Sandwich 4.90")):
        draw.text((120, 120 + 190 * k), text, font=ImageFont.load_default(76 - 8 * k), fill=(24, 38 + 30 * k, 52))
    return np.asarray(picture)


def peak_memory() -> float:
    """Peak memory of this process in MB; NaN where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def flops(pack: "Pack") -> dict[str, int]:
    """Graph -> additions and multiplications of its convolutions and products, for one crop of three times its height.

    Decoders: for one word of ten characters. Empty where the package onnx is not installed.
    """
    try:
        import onnx
        from onnx import shape_inference
    except ImportError:
        return {}
    height = pack.preprocessing.height
    width = pack.preprocessing.input_width(height, round(_CROP[0] * height))
    sizes = {"batch": 1, "scenes": 1, "length": 11, "text": 12, "memory": 44, "width": width}
    counts = {}
    for name, graph in pack.graphs.items():
        model = onnx.load(str(pack.folder / graph.file))
        for value in model.graph.input:
            for dimension in value.type.tensor_type.shape.dim:
                if dimension.dim_param:
                    dimension.dim_value = sizes.get(dimension.dim_param, 1)
        for value, shape in zip(model.graph.input, graph.inputs.values(), strict=True):
            for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
                dimension.dim_value = sizes.get(size, 1) if isinstance(size, str) else size
        counts[name] = _count(shape_inference.infer_shapes(model, data_prop=True))
    return counts


def _count(model: Any) -> int:
    shapes = {each.name: list(each.dims) for each in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        shapes[value.name] = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    total = 0
    for node in model.graph.node:
        out = math.prod(shapes.get(node.output[0], [0]) or [0])
        if node.op_type == "Conv":
            total += 2 * out * math.prod(shapes[node.input[1]][1:])
        elif node.op_type in ("MatMul", "Gemm"):
            total += 2 * out * shapes.get(node.input[0], [0])[-1]
    return total
