"""Reports of scores: tables on the screen, JSON, CSV, and an HTML page with the worst samples."""

import base64
import csv
import html
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from wordsight.errors import printable
from wordsight.evaluate.benchmarks import Comparison
from wordsight.evaluate.contrast import Contrast
from wordsight.evaluate.metrics import Average, Record, Score, is_right, similarity
from wordsight.evaluate.protocol import PROTOCOLS, Protocol
from wordsight.evaluate.spotting import Found, SpottingScore

FORMAT = 1
STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Report:
    """The results of an evaluation.

    Attributes:
        model: what was evaluated.
        settings: what else the numbers depend on: threads, batch size, limit, ...
        scores: word scores, one for each data set and protocol.
        averages: averages, if there are several data sets.
        records: raw readings behind `scores`.
        spotting: end-to-end scores by data set.
        findings: raw words behind `spotting`: data set -> name of each image and the words found in it.
        comparisons: published scores on the same sets.
        remarks: sentences about these numbers.
        contrasts: comparisons with other readings of the same words.
        gates: of a model that takes scenes, by place.
    """

    model: str
    settings: Mapping[str, str | int] = field(default_factory=dict)
    scores: Sequence[Score] = ()
    averages: Sequence[Average] = ()
    records: Sequence[Record] = ()
    spotting: Mapping[str, SpottingScore] = field(default_factory=dict)
    findings: Mapping[str, Sequence[tuple[str, Sequence[Found]]]] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    remarks: Sequence[str] = ()
    contrasts: Sequence[Contrast] = ()
    gates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Exhibit:
    """A sample to show: its record, its picture (encoded as PNG or JPEG), and perhaps another reading of it."""

    record: Record
    picture: bytes
    other: Record | None = None


def percent(share: float) -> str:
    """0.7906 as 79.06; a dash for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.2f}"


def reasons(left_out: Mapping[str, int]) -> str:
    """Counts of filtered samples, as text."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"


_WORD_COLUMNS = ("data", "protocol", "n", "accuracy %", "1-NED %", "CER %", "ECE %", "aECE %", "left out")
_SPOTTING_COLUMNS = ("data", "scenes", "words", "found", "what", "precision %", "recall %", "H-mean %")


def word_rows(report: Report) -> list[tuple[str, ...]]:
    """The cells of the word table, averages last, with one more column if the recognizer takes scenes."""
    rows: list[tuple[str, ...]] = []
    takes_scenes = _takes_scenes(report)

    def add(name: str, s: Score | Average, *cells: str) -> None:
        scenes = (f"{s.scenes or 0}/{s.n}",) if takes_scenes else ()
        rows.append((name, s.protocol, str(s.n), *cells, *scenes))

    for s in report.scores:
        add(s.dataset, s, *map(percent, (s.accuracy, s.ned, s.cer, s.ece, s.adaptive_ece)), reasons(s.left_out))
    for a in report.averages:
        group = f"{a.group}: " if a.group else ""
        add(f"{group}all {a.n} samples", a, percent(a.weighted_accuracy), percent(a.weighted_ned), *[""] * 4)
        add(f"{group}mean of {a.sets} sets", a, percent(a.arithmetic_accuracy), percent(a.arithmetic_ned), *[""] * 4)
    return rows


def _takes_scenes(report: Report) -> bool:
    """Whether the recognizer takes scenes."""
    return any(score.scenes is not None for score in report.scores)


def spotting_rows(report: Report) -> list[tuple[str, ...]]:
    """The cells of the end-to-end table: for each data set, boxes alone and boxes with the right text.

    "Don't care" words are in brackets.
    """
    rows = []
    for name, s in report.spotting.items():
        counts = (name, str(s.scenes), f"{s.truths} (+{s.ignored_truths})", f"{s.found} (+{s.ignored_found})")
        rows.append((*counts, "detection", *map(percent, s.detection())))
        rows.append((*counts, "end to end", *map(percent, s.end_to_end())))
    return rows


def contrast_rows(contrasts: Sequence[Contrast]) -> list[tuple[str, ...]]:
    """The cells of comparisons between two readings, in points; p is McNemar's."""
    rows: list[tuple[str, ...]] = []
    for c in contrasts:
        r = c.result
        difference = f"{100 * r.difference:+.2f}" + ("" if r.shown else ", not shown")
        interval = f"{100 * r.low:+.2f} to {100 * r.high:+.2f}"
        accuracies = percent(c.accuracy), percent(c.other_accuracy)
        counts, changed = (str(r.n), str(r.clusters)), (str(r.won), str(r.lost))
        rows.append((c.dataset, c.protocol, *counts, *accuracies, difference, interval, f"{r.mcnemar:.2g}", *changed))
    return rows


def tables(report: Report) -> list[Table]:
    """The report as tables for the screen, on which names are neither markup nor control sequences."""
    out = []
    for title, columns, rows in _sections(report):
        table = Table(title=escape(printable(title)), title_justify="left")
        for column in columns:
            words = column in ("data", "what", "left out", "by", "difference", "95 %")
            table.add_column(column, justify="left" if words else "right", overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        out.append(table)
    return out


def _sections(report: Report) -> Iterable[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    settings = "".join(f", {name} {value}" for name, value in report.settings.items())
    if report.scores:
        further = ("scene available",) if _takes_scenes(report) else ()
        yield f"{report.model}: words{settings}", (*_WORD_COLUMNS, *further), word_rows(report)
    if report.spotting:
        yield f"{report.model}: scenes, IoU > 0.5, (+don't care){settings}", _SPOTTING_COLUMNS, spotting_rows(report)
    for one, other in dict.fromkeys((c.one, c.other) for c in report.contrasts):
        mine = [c for c in report.contrasts if (c.one, c.other) == (one, other)]
        columns: tuple[str, ...]
        columns = ("data", "protocol", "n", "scenes", one, other, "difference", "95 %", "p", "mended", "spoilt")
        yield f"{report.model}: {one} less {other}, accuracy %, intervals over scenes", columns, contrast_rows(mine)
    for comparison in report.comparisons:
        sets = [f"{name} {count}" for name, count in comparison.counts.items()]
        columns = ("by", *sets, f"all {sum(comparison.counts.values())}", f"mean of {len(sets)}")
        values = [(row.model, [*row.scores.values(), row.weighted, row.arithmetic]) for row in comparison.models]
        rows = [(name, *("-" if share is None else percent(share) for share in shares)) for name, shares in values]
        yield f"{comparison.group}: accuracy %, beside published scores", columns, rows


def references(report: Report) -> list[str]:
    """The sources of published scores, each with its models."""
    models: dict[str, dict[str, None]] = {}
    for comparison in report.comparisons:
        for row in comparison.models[1:]:
            models.setdefault(row.source, {})[row.model] = None
    return [f"{'; '.join(names)}: {source}" for source, names in models.items()]


def to_dict(report: Report) -> dict[str, Any]:
    """The report for JSON: scores as shares of 1 (null if nothing counted), protocols, raw readings."""
    names = dict.fromkeys(s.protocol for s in report.scores)
    spotting = {}
    for name, s in report.spotting.items():
        rates = {
            kind: dict(zip(("precision", "recall", "hmean"), values, strict=True))
            for kind, values in (("detection", s.detection()), ("end_to_end", s.end_to_end()))
        }
        spotting[name] = asdict(s) | rates
    return {
        "format": FORMAT,
        "model": report.model,
        "settings": dict(report.settings),
        "protocols": {name: PROTOCOLS[name].summary for name in names if name in PROTOCOLS},
        "scores": [_finite(asdict(s) | {"accuracy": s.accuracy}) for s in report.scores],
        "averages": [_finite(asdict(a)) for a in report.averages],
        "spotting": spotting,
        "readings": [asdict(r) for r in report.records],
        "findings": {name: [_finding(*each) for each in images] for name, images in report.findings.items()},
        "comparisons": [asdict(comparison) for comparison in report.comparisons],
        "remarks": list(report.remarks),
        "contrasts": [_contrast(c) for c in report.contrasts],
        "gates": dict(report.gates),
    }


def _contrast(c: Contrast) -> dict[str, Any]:
    words = {
        what: [{"data": a.dataset, "id": a.id, "label": a.label, "text": a.text, "other": b.text} for a, b in pairs]
        for what, pairs in (("mended", c.mended), ("spoilt", c.spoilt))
    }
    facts = asdict(c.result) | {"accuracy": c.accuracy, "other_accuracy": c.other_accuracy, "shown": c.result.shown}
    return {"data": c.dataset, "protocol": c.protocol, "one": c.one, "other": c.other} | _finite(facts) | words


def _finding(image: str, found: Sequence[Found]) -> dict[str, Any]:
    words = [{"polygon": f.polygon.round(2).tolist(), "text": f.text} for f in found]
    return {"image": image, "words": words}


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def to_csv(report: Report) -> str:
    """The tables' rows as CSV, one header for words and one for scenes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for _, columns, rows in _sections(report):
        writer.writerow(("model", *columns))
        writer.writerows((report.model, *row) for row in rows)
    return out.getvalue()


def worst(records: Sequence[Record], protocol: Protocol, count: int) -> list[int]:
    """Indices of the `count` worst readings among those that count and are wrong, worst first.

    The least similar come first, then the most confident, which no threshold would catch.
    """
    wrong = [i for i, r in enumerate(records) if not protocol.reject(r.label) and not is_right(r, protocol)]

    def badness(i: int) -> tuple[float, float, int]:
        record = records[i]
        return similarity(protocol.label(record.label), protocol.reading(record.text)), -record.confidence, i

    return sorted(wrong, key=badness)[:count]


def to_html(report: Report, exhibits: Sequence[Exhibit], more: Mapping[str, Sequence[Exhibit]] | None = None) -> str:
    """The report as a self-contained page: tables, and the exhibits with embedded pictures.

    `more` are further exhibits by title.
    """
    escape = html.escape
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        "<meta http-equiv=Content-Security-Policy "
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
        f"<title>{escape(report.model)}</title><style>{STYLE}</style><h1>{escape(report.model)}</h1>",
    ]
    for title, columns, rows in _sections(report):
        parts.append(f"<h2>{escape(title)}</h2><table><tr>")
        parts += [f"<th>{escape(column)}" for column in columns]
        for row in rows:
            parts.append("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row))
        parts.append("</table>")
    parts += [f"<p>{escape(remark)}." for remark in report.remarks]
    parts += [f"<p>{escape(line)}." for line in references(report)]
    names = dict.fromkeys(s.protocol for s in report.scores)
    parts += [f"<p>Protocol {escape(name)}: {escape(PROTOCOLS[name].summary)}." for name in names if name in PROTOCOLS]
    worst_ones = {f"The {len(exhibits)} worst readings": exhibits} if exhibits else {}
    for title, shown in (dict(more or {}) | worst_ones).items():
        parts.append(f"<h2>{escape(title)}</h2><div class=worst>")
        parts += [_figure(exhibit) for exhibit in shown]
        parts.append("</div>")
    return "\n".join(parts) + "\n"


def _figure(exhibit: Exhibit) -> str:
    record = exhibit.record
    kind = "png" if exhibit.picture.startswith(b"\x89PNG") else "jpeg"
    picture = f"data:image/{kind};base64,{base64.b64encode(exhibit.picture).decode()}"
    instead = "" if exhibit.other is None else f"<br>instead of {_reading(exhibit.other)}"
    label, where = (html.escape(s) for s in (record.label, f"{record.dataset} {record.id}"))
    return (
        f"<figure><img alt='' src='{picture}'><figcaption><strong>{label}</strong><br>{_reading(record)}{instead}"
        f"<br><small>{record.confidence:.3f} {where}</small></figcaption></figure>"
    )


def _reading(record: Record) -> str:
    """Green if it is what the label says to the letter, else red."""
    tag = "b" if record.text == record.label else "i"
    return f"<{tag}>{html.escape(record.text) or '(nothing)'}</{tag}>"
