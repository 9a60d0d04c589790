"""Accuracy and time per word of one of our packs beside RapidOCR's recognizer, on the same crops, in the same run.

    python benchmarks/compare.py DATA [--model latin] [--threads 2] [--limit N] [--repeats 3] [--json FILE]

The crops are decoded beforehand; what is timed is crops in, strings out, preprocessing included, on both sides. The two
take turns on every 32 crops, now one and now the other first, so that whatever else the machine does hits both.
RapidOCR's recognizer is called without the rest of its engine, which is the quickest way to it; with its engine around
each crop (`wordsight eval rapidocr`) small crops are enlarged first and a few more words come out right.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wordsight.cli.recognizers import OurReader, RapidOcr
from wordsight.data import open_source
from wordsight.evaluate import PROTOCOLS, Record, score

GROUP = 32  # crops between turns; also the larger batch
PROTOCOL = PROTOCOLS["36"]

Read = Callable[[Sequence[Any]], list[tuple[str, float]]]


@dataclass(frozen=True)
class Side:
    """One recognizer at one batch size: median and 95th percentile of milliseconds per word over groups of 32 crops."""

    name: str
    batch: int
    accuracy: float
    n: int
    ms_median: float
    ms_p95: float


def one_by_one(read: Read) -> Read:
    """`read` with a batch of one."""
    return lambda crops: [read([crop])[0] for crop in crops]


def duel(readers: dict[str, Read], crops: Sequence[Any], repeats: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Milliseconds per word of every group of crops, and what each side read."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    strings: dict[str, list[tuple[str, float]]] = {name: [] for name in readers}
    for read in readers.values():  # first calls build plans
        read(crops[:GROUP])
    for repeat in range(repeats):
        for turn, start in enumerate(range(0, len(crops), GROUP)):
            group = crops[start : start + GROUP]
            order = list(readers.items())
            for name, read in order if (turn + repeat) % 2 else order[::-1]:
                begin = time.perf_counter()
                out = read(group)
                times[name].append(1000 * (time.perf_counter() - begin) / len(group))
                if repeat == 0:
                    strings[name] += out
    return times, strings


def compare(data: Path, model: str, threads: int, limit: int | None, repeats: int) -> dict[str, Any]:
    """Runs the comparison and returns what is printed."""
    source = open_source(data)
    count = min(len(source), limit or len(source))
    samples = [source[i] for i in range(count)]
    crops = [sample.image for sample in samples]
    ours = OurReader(model, threads)
    sides, ratios = [], {}
    for batch in (1, GROUP):
        theirs = RapidOcr(threads, batch_size=batch)
        readers: dict[str, Read] = {ours.name: ours.read, theirs.name: theirs.read_batch}
        if batch == 1:
            readers = {name: one_by_one(read) for name, read in readers.items()}
        times, strings = duel(readers, crops, repeats)
        for name, values in times.items():
            records = [
                Record(str(data), sample.id, sample.text, *reading)
                for sample, reading in zip(samples, strings[name], strict=True)
            ]
            result = score(records, PROTOCOL)
            p95 = sorted(values)[round(0.95 * (len(values) - 1))]
            sides.append(Side(name, batch, result.accuracy, result.n, statistics.median(values), p95))
        pairs = zip(times[ours.name], times[theirs.name], strict=True)
        ratios[batch] = statistics.median(mine / other for mine, other in pairs)
    return {
        "data": str(data),
        "protocol": PROTOCOL.name,
        "threads": threads,
        "repeats": repeats,
        "machine": platform.processor() or platform.machine(),
        "versions": {name: version(name) for name in ("wordsight", "rapidocr", "onnxruntime")},
        "sides": [asdict(side) for side in sides],
        "time_ratio": ratios,
    }


def show(result: dict[str, Any]) -> None:
    """Prints the table."""
    from rich.console import Console
    from rich.table import Table

    title = f"{result['data']}: {result['threads']} threads, {result['repeats']} repeats, median of groups of {GROUP}"
    table = Table(title=title, title_justify="left")
    columns = ("recognizer", "batch", "n", f"accuracy % ({result['protocol']})", "ms/word", "95th percentile")
    for column in columns:
        table.add_column(column, justify="left" if column == "recognizer" else "right")
    for side in result["sides"]:
        numbers = (f"{100 * side['accuracy']:.2f}", f"{side['ms_median']:.2f}", f"{side['ms_p95']:.2f}")
        table.add_row(side["name"], str(side["batch"]), str(side["n"]), *numbers)
    console = Console()
    console.print(table)
    for batch, ratio in result["time_ratio"].items():
        console.print(f"batch {batch}: ours takes {ratio:.2f} of RapidOCR's time (median of group by group)")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with labels.tsv, LMDB archive or scenes.jsonl")
    parser.add_argument("--model", default="latin", help="shipped model or pack folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only the first crops")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    result = compare(options.data, options.model, options.threads, options.limit, options.repeats)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
