"""`wordsight eval`: how well a model reads data sets."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.app import app
from wordsight.cli.progress import progress

if TYPE_CHECKING:
    from wordsight.cli.recognizers import CropReader, SceneReader
    from wordsight.data import FolderSource, LmdbSource, ScenesSource
    from wordsight.evaluate import Protocol, Record, Score, SpottingScore
    from wordsight.evaluate.report import Exhibit

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
    end_to_end: bool = typer.Option(False, "--end-to-end", help="Find the words of the scenes too, and score both."),
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

    from wordsight.cli.recognizers import open_crop_reader, open_scene_reader
    from wordsight.data import ScenesSource, open_source
    from wordsight.errors import ConfigError
    from wordsight.evaluate import Protocol, averages, score
    from wordsight.evaluate.report import Report, tables, to_csv, to_dict, to_html

    for file in (json_file, csv_file, html_file):  # before minutes of reading, not after
        if file and not file.resolve().parent.is_dir():
            raise ConfigError(f"{file}: there is no folder {file.parent}: make it first")
    rules = [Protocol.named(name) for name in dict.fromkeys(protocols)]
    sources = [open_source(path) for path in data]
    settings: dict[str, str | int | float] = {} if limit is None else {"limit": limit}
    if end_to_end:
        scenes = []
        for path, source in zip(data, sources, strict=True):
            if not isinstance(source, ScenesSource):
                raise ConfigError(f"{path}: has no whole scenes: --end-to-end needs a scenes.jsonl")
            scenes.append(source)
        finder = open_scene_reader(model, threads)
        found = {
            _name(path): _spot(finder, source, _name(path), limit) for path, source in zip(data, scenes, strict=True)
        }
        report = Report(finder.name, {**finder.settings, **settings}, spotting=found)
        exhibits: list[Exhibit] = []
    else:
        reader = open_crop_reader(model, threads)
        records, scores = [], []
        for path, source in zip(data, sources, strict=True):
            mine = _read(reader, source, _name(path), limit, batch_size)
            records.append(mine)
            scores += [_with_illegible(score(mine, rule, _name(path)), source) for rule in rules]
        flat = [record for mine in records for record in mine]
        report = Report(
            reader.name, {"batch": batch_size, **reader.settings, **settings}, scores, averages(scores), flat
        )
        exhibits = _worst(sources, records, rules[0]) if html_file else []
    console = Console()
    for table in tables(report):
        console.print(table)
    if json_file:
        text = json.dumps(to_dict(report), ensure_ascii=False, indent=1, allow_nan=False)
        json_file.write_text(text + "\n", encoding="utf-8")
    if csv_file:
        csv_file.write_text(to_csv(report), encoding="utf-8")
    if html_file:
        html_file.write_text(to_html(report, exhibits), encoding="utf-8")


def _name(path: Path) -> str:
    """A data set's name in tables: the last two parts of its path, since the last alone is often just `test`."""
    return "/".join(path.resolve().parts[-2:])


def _read(reader: "CropReader", source: "Opened", name: str, limit: int | None, batch_size: int) -> list["Record"]:
    from wordsight.evaluate import Record

    count = min(len(source), limit or len(source))
    records = []
    starts = range(0, count, batch_size)
    for start in progress(starts, len(starts), name):
        samples = [source[i] for i in range(start, min(start + batch_size, count))]
        readings = reader.read([sample.image for sample in samples])
        for sample, (text, confidence) in zip(samples, readings, strict=True):
            records.append(Record(name, sample.id, sample.text, text, confidence))
    return records


def _spot(reader: "SceneReader", source: "ScenesSource", name: str, limit: int | None) -> "SpottingScore":
    from wordsight.evaluate import Found, Truth, score_spotting

    scenes = source.scenes[:limit]
    scored = []
    for scene in progress(scenes, len(scenes), name):
        found = [Found(polygon, text) for polygon, text in reader.find(scene.load())]
        scored.append(([Truth(word.polygon, word.text, word.legible) for word in scene.words], found))
    return score_spotting(scored)


def _with_illegible(score: "Score", source: "Opened") -> "Score":
    """The score, with the words counted that the annotators could not read either and the source passes over."""
    from wordsight.data import ScenesSource

    skipped = source.illegible if isinstance(source, ScenesSource) else 0
    return replace(score, left_out=score.left_out | {"illegible": skipped}) if skipped else score


def _worst(sources: Sequence["Opened"], records: Sequence[Sequence["Record"]], protocol: "Protocol") -> list["Exhibit"]:
    import io

    from PIL import Image

    from wordsight.evaluate.report import Exhibit, worst

    # A record's place in the flat list tells the source and the sample.
    places = [(source, i) for source, mine in zip(sources, records, strict=True) for i in range(len(mine))]
    flat = [record for mine in records for record in mine]
    exhibits = []
    for place in worst(flat, protocol, WORST):
        source, i = places[place]
        picture = Image.fromarray(source[i].image)
        picture.thumbnail((512, 128))
        png = io.BytesIO()
        picture.save(png, "PNG")
        exhibits.append(Exhibit(flat[place], png.getvalue()))
    return exhibits
