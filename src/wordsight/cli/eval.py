"""`wordsight eval`: how well a model reads data sets."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.app import app
from wordsight.cli.progress import progress

if TYPE_CHECKING:
    from wordsight.cli.recognizers import CropReader, Settings
    from wordsight.data import FolderSource, LmdbSource, ScenesSource
    from wordsight.evaluate import Protocol, Record
    from wordsight.evaluate.report import Exhibit, Report

    Opened = FolderSource | LmdbSource | ScenesSource

WORST = 100  # pictures on the HTML page


@app.command("eval")
def evaluate(
    model: str = typer.Argument(help="A shipped model, a pack's folder, or rapidocr or tesseract."),
    data: list[Path] = typer.Argument(help="Folders with labels.tsv, LMDB archives, or scenes.jsonl."),
    protocols: list[str] = typer.Option(
        ["36", "62", "94"],
        "--protocol",
        "--chars",
        help="How to count: 36, 62 or 94 characters, parseq-36, parseq-62, parseq-94, waics, exact. May be repeated.",
    ),
    end_to_end: bool = typer.Option(
        False, "--end-to-end", help="Find the words in whole scenes, instead of reading given crops."
    ),
    limit: int | None = typer.Option(None, min=1, help="Only the first samples (or scenes) of each data set."),
    threads: int | None = typer.Option(None, min=1, help="Threads of the engine; default: as many as processors."),
    batch_size: int = typer.Option(32, min=1, help="Crops that are read at once."),
    json_file: Path | None = typer.Option(None, "--json", help="Write scores and raw readings here."),
    csv_file: Path | None = typer.Option(None, "--csv", help="Write the tables here."),
    html_file: Path | None = typer.Option(None, "--html", help="Write a page with the worst samples here."),
) -> None:
    """Score a model's readings, each number with its protocol and the samples it stands for."""
    import json

    from rich.console import Console

    from wordsight.data import open_source
    from wordsight.errors import ConfigError
    from wordsight.evaluate import Protocol
    from wordsight.evaluate.report import tables, to_csv, to_dict, to_html

    for file in (json_file, csv_file, html_file):  # before minutes of reading, not after
        if file and not file.resolve().parent.is_dir():
            raise ConfigError(f"{file}: there is no folder {file.parent}: make it first")
    rules = [Protocol.named(name) for name in dict.fromkeys(protocols)]
    sources = {_name(path): open_source(path) for path in data}
    exhibits: list[Exhibit] = []
    if end_to_end:
        report = _scenes(model, sources, limit, threads)
    else:
        report = _words(model, sources, rules, limit, threads, batch_size)
        if html_file:
            exhibits = _worst(sources, report.records, rules[0])
    # Rich takes 80 columns where the output is a file; the tables need about 100.
    console = Console(width=None if sys.stdout.isatty() else 120)
    for table in tables(report):
        console.print(table)
    if json_file:
        text = json.dumps(to_dict(report), ensure_ascii=False, allow_nan=False)
        json_file.write_text(text + "\n", encoding="utf-8")
    if csv_file:
        csv_file.write_text(to_csv(report), encoding="utf-8")
    if html_file:
        html_file.write_text(to_html(report, exhibits), encoding="utf-8")


def _name(path: Path) -> str:
    """A data set's name in tables: the last two parts of its path, since the last alone is often just `test`."""
    return "/".join(path.resolve().parts[-2:])


def _limited(limit: int | None) -> "Settings":
    return {} if limit is None else {"limit": limit}


def _words(
    model: str,
    sources: dict[str, "Opened"],
    rules: list["Protocol"],
    limit: int | None,
    threads: int | None,
    batch_size: int,
) -> "Report":
    """Reads and scores the crops of every source."""
    from wordsight.cli.recognizers import open_crop_reader
    from wordsight.data import ScenesSource
    from wordsight.evaluate import averages, score
    from wordsight.evaluate.report import Report

    reader = open_crop_reader(model, threads)
    records, scores = [], []
    for name, source in sources.items():
        mine = _read(reader, source, name, limit, batch_size)
        records += mine
        # What the annotators could not read either is no sample; say how much that is.
        passed_over = source.illegible if isinstance(source, ScenesSource) and limit is None else 0
        for rule in rules:
            result = score(mine, rule, name)
            scores.append(
                replace(result, left_out=result.left_out | ({"illegible": passed_over} if passed_over else {}))
            )
    settings = {"batch": batch_size, **reader.settings, **_limited(limit)}
    return Report(reader.name, settings, scores, averages(scores), records)


def _read(reader: "CropReader", source: "Opened", name: str, limit: int | None, batch_size: int) -> list["Record"]:
    from wordsight.evaluate import Record

    count = min(len(source), limit or len(source))
    starts = range(0, count, batch_size)
    records = []
    for start in progress(starts, len(starts), name):
        samples = [source[i] for i in range(start, min(start + batch_size, count))]
        readings = reader.read([sample.image for sample in samples])
        for sample, (text, confidence) in zip(samples, readings, strict=True):
            records.append(Record(name, sample.id, sample.text, text, confidence))
    return records


def _scenes(model: str, sources: dict[str, "Opened"], limit: int | None, threads: int | None) -> "Report":
    """Finds, reads and scores the words of every scene."""
    from wordsight.cli.recognizers import open_scene_reader
    from wordsight.data import ScenesSource
    from wordsight.errors import ConfigError
    from wordsight.evaluate import Found, Truth, score_spotting
    from wordsight.evaluate.report import Report

    for name, source in sources.items():
        if not isinstance(source, ScenesSource):
            raise ConfigError(f"{name} has no whole scenes: --end-to-end needs a scenes.jsonl")
    reader = open_scene_reader(model, threads)
    spotting, findings = {}, {}
    for name, source in sources.items():
        assert isinstance(source, ScenesSource)  # noqa: S101 - checked above, before anything is read
        scenes = source.scenes[:limit]
        found = [
            [Found(polygon, text) for polygon, text in reader.find(scene.load())]
            for scene in progress(scenes, len(scenes), name)
        ]
        truths = [[Truth(word.polygon, word.text, word.legible) for word in scene.words] for scene in scenes]
        spotting[name] = score_spotting(list(zip(truths, found, strict=True)))
        findings[name] = [(scene.image.name, words) for scene, words in zip(scenes, found, strict=True)]
    return Report(reader.name, {**reader.settings, **_limited(limit)}, spotting=spotting, findings=findings)


def _worst(sources: dict[str, "Opened"], records: Sequence["Record"], protocol: "Protocol") -> list["Exhibit"]:
    import io

    from PIL import Image

    from wordsight.evaluate.report import Exhibit, worst

    firsts: dict[str, int] = {}  # where the records of a source begin; they are in its order
    for place, record in enumerate(records):
        firsts.setdefault(record.dataset, place)
    exhibits = []
    for place in worst(records, protocol, WORST):
        record = records[place]
        picture = Image.fromarray(sources[record.dataset][place - firsts[record.dataset]].image)
        picture.thumbnail((512, 128))
        png = io.BytesIO()
        picture.save(png, "PNG")
        exhibits.append(Exhibit(record, png.getvalue()))
    return exhibits
