"""`wordsight eval`: how well a model reads data sets."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.app import app
from wordsight.cli.options import BatchSize, DecodingMode, JsonFile, Seed, Threads, leaving_out, print_tables
from wordsight.cli.progress import progress
from wordsight.errors import ConfigError, DataError

if TYPE_CHECKING:
    from wordsight.cli.compared import Reading
    from wordsight.cli.recognizers import AnyReader, Settings
    from wordsight.data import OpenedSource, Scene
    from wordsight.data.controls import Mode as Control
    from wordsight.evaluate import Average, Protocol, Score, SpottingScore, Suite
    from wordsight.evaluate.report import Exhibit, Report

WORST = 100  # pictures on the HTML page
_COMPARED: tuple[tuple[str, "Control"], ...] = (
    ("own scene", "real"), ("another's scene", "shuffle"), ("no scene", "none"),
)  # fmt: skip


@app.command("eval")
def evaluate(
    model: str = typer.Argument(help="A shipped model, the folder of a pack or a checkpoint, rapidocr or tesseract."),
    data: list[Path] = typer.Argument(
        None, metavar="[DATA]...", help="Folders with labels.tsv, LMDB archives or scenes.jsonl, or trees of them."
    ),
    protocols: list[str] = typer.Option(
        [],
        "--protocol",
        "--chars",
        help="Score by this protocol: 36, 62, 94 (characters; default: all), parseq-36, parseq-62, parseq-94, waics, "
        "exact, latin. May be repeated. With --benchmarks, which table: parseq (default), parseq-full, union14m or "
        "openocr.",
    ),
    benchmarks: Path | None = typer.Option(
        None, metavar="ROOT", help="Instead of DATA, read the field's test sets, found by name in the folders below."
    ),
    end_to_end: bool = typer.Option(
        False, "--end-to-end", help="Find the words in whole scenes, instead of reading given crops."
    ),
    detection: bool = typer.Option(
        False, "--detection", help="Score the boxes found in scenes by MODEL, a detector: lines, ppocr or a pack."
    ),
    max_side: int | None = typer.Option(None, min=32, help="With --detection: reduce pictures to this long side."),
    limit: int | None = typer.Option(None, min=1, help="Read only this many samples (or scenes) of each data set."),
    threads: Threads = None,
    batch_size: BatchSize = 32,
    mode: DecodingMode = "adaptive",
    no_dictionary: bool = typer.Option(False, "--no-dictionary", help="Use no dictionary; checkpoints never do."),
    as_is: bool | None = typer.Option(
        None,
        "--as-is/--no-as-is",
        help="Read each crop once, as for published tables: no dictionary, nothing turned, cut or read again. "
        "Default with --benchmarks.",
    ),
    rotation: float = typer.Option(0.0, metavar="DEGREES", help="Rotate each crop anticlockwise before it is read."),
    against: str | None = typer.Option(
        None, metavar="OTHER", help="Also read with this model, and test whether the difference is significant."
    ),
    scene: str | None = typer.Option(
        None,
        metavar="CONTROL",
        help="Show a model with CLIPTER this as the scene: real (default), shuffle, gray, blur, mask-word, "
        "mask-text, constant, random-encoder or none; or compare: own, another's and none beside each other.",
    ),
    seed: Seed = 0,
    scene_encoder: str | None = typer.Option(
        None, metavar="NAME", help="Load the scene encoder of a checkpoint from here, not from where it was trained."
    ),
    rerank: Path | None = typer.Option(
        None, metavar="CLIP", help="Have this CLIP (a checkpoint folder) choose among sampled readings of a checkpoint."
    ),
    json_file: JsonFile = None,
    csv_file: Path | None = typer.Option(None, "--csv", help="Also write the tables to this file."),
    html_file: Path | None = typer.Option(None, "--html", help="Also write a page of the worst samples to this file."),
) -> None:
    """Score how well a model reads data sets. Each number comes with its protocol and its number of samples."""
    import json

    from wordsight.cli.compared import contrasts, costs, exhibit, exhibits, gates
    from wordsight.cli.output import check_file
    from wordsight.cli.recognizers import open_reader
    from wordsight.cli.shown import control_for, encoder_options, whole_scenes
    from wordsight.evaluate import averages, find_suite
    from wordsight.evaluate.gates import remarks as gate_remarks
    from wordsight.evaluate.report import Report, references, tables, to_csv, to_dict, to_html, worst
    from wordsight.files import write_text

    warnings.filterwarnings("ignore", module="PIL")  # on damaged files; what matters is said in one line
    for file in (json_file, csv_file, html_file):  # before minutes of reading, not after
        if file:
            check_file(file)
    if detection:
        if benchmarks or end_to_end or protocols or not data:
            raise ConfigError(
                "--detection finds boxes in scenes: give DATA, without --benchmarks, --end-to-end, --chars"
            )
        found_boxes = _boxes(model, whole_scenes(_open(data), "--detection", limit), threads, max_side)
        if json_file:
            write_text(json_file, json.dumps({name: asdict(score) for name, score in found_boxes.items()}) + "\n")
        return
    if benchmarks and (data or end_to_end or len(protocols) > 1):
        raise ConfigError("--benchmarks reads word crops by one protocol: leave out DATA, --end-to-end, others")
    if not benchmarks and not data:
        raise ConfigError("there is nothing to read: name DATA, or a folder of test sets with --benchmarks")
    as_is = bool(benchmarks) if as_is is None else as_is
    if end_to_end and (as_is or against or scene == "compare"):
        raise ConfigError("--as-is, --against and --scene compare are about given crops: leave --end-to-end out")
    if rotation and end_to_end:
        raise ConfigError("--rotation turns given crops: leave --end-to-end out")
    if against and scene == "compare":
        raise ConfigError("--scene compare compares readings of one model: leave --against out")
    suite = find_suite(protocols[0] if protocols else "parseq") if benchmarks else None
    comparing = scene == "compare"
    encoders = encoder_options(None if comparing else scene, seed, scene_encoder)
    if rerank:
        if end_to_end or model in ("rapidocr", "tesseract"):
            raise ConfigError("--rerank is for a checkpoint that reads crops: leave --end-to-end out")
        encoders["rerank"] = rerank
    rules = _rules([suite.protocol] if suite else protocols)
    sources = _find_sets(benchmarks, suite) if benchmarks and suite else _open(data)
    options = {"dictionary": not no_dictionary, "as_is": as_is}
    reader = open_reader(model, threads, mode, **options, **encoders)
    control = control_for(reader, "real" if comparing else scene)
    limited: Settings = {"limit": limit} if limit else {}
    shown: Settings = {"scene": control} if control else {}
    if control in ("shuffle", "constant", "random-encoder"):
        shown["scene seed"] = seed
    worst_ones: list[Exhibit] = []
    more: dict[str, list[Exhibit]] = {}
    if end_to_end:
        report = _spotted(reader, whole_scenes(sources, "--end-to-end", limit), control, seed)
        report = replace(report, settings={**reader.settings, **limited, **shown})
    else:
        passes: list[tuple[str, AnyReader, Control | None]] = [(reader.name, reader, control)]
        if against:
            other = open_reader(against, threads, mode, **options)
            names = (model, against) if other.name == reader.name else (reader.name, other.name)
            passes = [(names[0], reader, control), (names[1], other, control_for(other, None))]
        if comparing:
            passes = [(name, reader, each) for name, each in _COMPARED]
        reading, *others = (_read(*each, sources, limit, batch_size, seed, rotation) for each in passes)
        scores = _scores(reading, sources, rules, limit)
        found = [c for one in others for c in contrasts(reading, one, rules, list(sources))]
        how = {"reading": "as is" if as_is else "as users read"}
        turned = {"rotation": f"{rotation:g}"} if rotation else {}
        settings = {"batch": batch_size, **reader.settings, **how, **shown, **limited, **turned}
        report = Report(reader.name, settings, scores, averages(scores), reading.records, contrasts=found)
        if comparing:
            open_gates = gates(model)
            said = [*gate_remarks(open_gates), *costs(reader, sources)]
            report = replace(report, gates=open_gates, remarks=said)
        if suite:
            report = _beside_published(report, suite, limit)
        report = replace(report, remarks=[*report.remarks, *_calibration(reader)])
        if html_file:
            worst_ones = [
                exhibit(sources[reading.records[i].dataset][reading.places[i]].image, reading.records[i])
                for i in worst(reading.records, rules[0], WORST)
            ]
            for one in others:
                more |= exhibits([c for c in found if c.other == one.name], sources, reading)
    print_tables(tables(report), 160 if suite else 130)
    for line in (*report.remarks, *references(report)):
        typer.echo(line)
    if json_file:
        text = json.dumps(to_dict(report), ensure_ascii=False, allow_nan=False)
        write_text(json_file, text + "\n")
    if csv_file:
        write_text(csv_file, to_csv(report))
    if html_file:
        write_text(html_file, to_html(report, worst_ones, more))


def _boxes(
    detector: str, data: dict[str, "Sequence[Scene]"], threads: int | None, max_side: int | None
) -> dict[str, "SpottingScore"]:
    """Finds the words of scenes, prints the score of each data set, and returns it."""
    from wordsight.detect import TextDetector
    from wordsight.evaluate import SpottingScore, score_boxes

    options = {} if max_side is None else {"max_side": max_side}
    finder = TextDetector(detector, threads=threads, **options)  # type: ignore[arg-type]
    scores: dict[str, SpottingScore] = {}
    for name, scenes in data.items():
        score = SpottingScore(0, 0, 0, 0, 0, 0, 0)
        for scene in progress(scenes, len(scenes), name):
            found = [box.polygon for box in finder.detect(scene.load())]
            words = scene.words
            score += score_boxes([word.polygon for word in words], [word.legible for word in words], found)
        scores[name] = score
        precision, recall, hmean = (100 * value for value in score.detection())
        typer.echo(
            f"{name}: precision {precision:.2f}, recall {recall:.2f}, H-mean {hmean:.2f} (IoU > 0.5; {score.scenes} "
            f"scenes, {score.truths} words, {score.ignored_truths} illegible ones left out)"
        )
    return scores


def _rules(names: Sequence[str]) -> list["Protocol"]:
    from wordsight.evaluate import SUITES, Protocol

    for name in names:
        if name in SUITES:
            raise ConfigError(f"{name} is a table of the field: name the folder of its test sets with --benchmarks")
    return [Protocol.named(name) for name in dict.fromkeys(names or ("36", "62", "94"))]


def _open(paths: Sequence[Path]) -> dict[str, "OpenedSource"]:
    """Data sets by the last two parts of their paths, since the last alone is often just `test`."""
    from wordsight.data import open_source

    return {"/".join(path.resolve().parts[-2:]): open_source(path) for path in paths}


def _find_sets(root: Path, suite: "Suite") -> dict[str, "OpenedSource"]:
    """The suite's sets that are below `root`."""
    from wordsight.data import find_sources, open_source
    from wordsight.evaluate import locate

    if not root.is_dir():
        raise DataError(f"{root}: no such folder: name one with the field's test sets")
    places = locate([folder.relative_to(root) for folder in find_sources(root)], suite)
    return {name: open_source(root / place, dataset=name) for name, place in places.items()}


def _beside_published(report: "Report", suite: "Suite", limit: int | None) -> "Report":
    """The report with the suite's averages, what others published, and why the two may not be comparable."""
    from wordsight.evaluate import averages, compare, remarks

    means: list[Average] = []
    for group, sets in suite.groups.items():
        present = [score for score in report.scores if score.dataset in sets]
        some = "" if len(present) == len(sets) else f", {len(present)} of {len(sets)} sets"
        means += averages(present, f"{group}{some}")
    report = replace(report, settings={"suite": suite.name, **report.settings}, averages=means)
    if limit is not None:
        said = [f"only the first {limit} samples of each set were read: not comparable with published scores"]
        return replace(report, remarks=[*said, *report.remarks])
    said = [f"{suite.name}: {suite.summary}", *remarks(suite, report.scores), *report.remarks]
    return replace(report, comparisons=compare(report.model, suite, report.scores), remarks=said)


def _calibration(reader: "AnyReader") -> list[str]:
    """What calibration did to the confidences of a pack, in a sentence."""
    from wordsight.cli.recognizers import OurReader

    if not isinstance(reader, OurReader) or not reader.calibration:
        return []
    facts, texts = reader.calibration, {}
    for when in ("before", "after"):
        errors = facts[when]
        texts[when] = (
            f"temperature {errors['temperature']:g}: ECE {errors['ece']} %, adaptive {errors['adaptive_ece']} %"
        )
    both = "; ".join(dict.fromkeys(texts.values()))  # one text where no other temperature was measurably better
    return [f"calibrated on {facts['words']} held-out training words (protocol {facts['protocol']}): {both}"]


def _read(
    name: str,
    reader: "AnyReader",
    control: "Control | None",
    sources: dict[str, "OpenedSource"],
    limit: int | None,
    batch_size: int,
    seed: int,
    rotation: float,
) -> "Reading":
    """What a reader reads on the crops of every source, `control` deciding which scenes it is shown."""
    from wordsight.cli.compared import Reading
    from wordsight.cli.recognizers import OurReader
    from wordsight.data import show_scenes
    from wordsight.data.mixing import rotated
    from wordsight.evaluate import Record

    found = Reading(name, [], [], [])
    for dataset, source in sources.items():
        if control:
            show_scenes(source, control, seed)
        count = min(len(source), limit or len(source))
        starts = range(0, count, batch_size)
        for start in progress(starts, len(starts), dataset):
            samples = []
            for i in range(start, min(start + batch_size, count)):
                with leaving_out():
                    samples.append(rotated(source[i], rotation))
                    found.places.append(i)
            if not samples:
                continue
            if isinstance(reader, OurReader) and reader.reader.takes_scenes:
                readings = reader.read_samples(samples)
            else:
                readings = [(*read, None) for read in reader.read([sample.image for sample in samples])]
            for sample, (text, confidence, scene) in zip(samples, readings, strict=True):
                found.records.append(Record(dataset, sample.id, sample.text, text, confidence, scene))
                found.scenes.append("" if sample.link is None else str(sample.link.scene.image))
    return found


def _scores(
    reading: "Reading", sources: dict[str, "OpenedSource"], rules: list["Protocol"], limit: int | None
) -> list["Score"]:
    """The scores of a reading, source by source; samples left out include those that could not be read."""
    from wordsight.data import ScenesSource
    from wordsight.evaluate import score

    scores = []
    for name, source in sources.items():
        mine, _ = reading.of(name)
        # What the annotators could not read either is no sample; say how much that is.
        illegible = source.illegible if isinstance(source, ScenesSource) and limit is None else 0
        unreadable = min(len(source), limit or len(source)) - len(mine)
        for rule in rules:
            result = score(mine, rule, name)
            left_out = Counter(result.left_out) + Counter(illegible=illegible, unreadable=unreadable)  # but those of 0
            scores.append(replace(result, left_out=dict(left_out)))
    return scores


def _spotted(reader: "AnyReader", data: dict[str, "Sequence[Scene]"], control: "Control | None", seed: int) -> "Report":
    """Finds, reads and scores the words of every scene; `control`, where there is one, decides what is shown of it."""
    from wordsight.cli.recognizers import OurReader
    from wordsight.cli.shown import shown_instead
    from wordsight.evaluate import Found, Truth, score_spotting
    from wordsight.evaluate.report import Report

    spotting, findings = {}, {}
    for name, scenes in data.items():
        found = []
        for number, scene in enumerate(progress(scenes, len(scenes), name)):
            pixels = scene.load()
            if control and isinstance(reader, OurReader):
                words = reader.find(pixels, shown_instead(scenes, number, pixels, control, seed))
            else:
                words = reader.find(pixels)
            found.append([Found(polygon, text) for polygon, text in words])
        truths = [[Truth(word.polygon, word.text, word.legible) for word in scene.words] for scene in scenes]
        spotting[name] = score_spotting(list(zip(truths, found, strict=True)))
        findings[name] = [(scene.image.name, words) for scene, words in zip(scenes, found, strict=True)]
    return Report(reader.name, spotting=spotting, findings=findings)
