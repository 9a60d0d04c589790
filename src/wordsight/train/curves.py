"""What a run shows of itself: the learning rate in its logs, and a page with its learning curve and validations."""

import csv
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from wordsight.evaluate.report import STYLE
from wordsight.files import write_text

Points = list[tuple[int, float]]
"""Step and value, by step."""

_CHARTS: Mapping[str, Mapping[str, str]] = {
    "Validation words, %": {
        "val/accuracy": "read right (36 characters)",
        "val/exact": "read right (every character)",
        "val/ned": "1-NED (36 characters)",
        "val/accuracy.null": "read right without scenes",
    },
    "Detection of validation scenes, %": {"val/recall": "recall", "val/precision": "precision", "val/hmean": "H-mean"},
    "Training loss": {"train/loss": "loss"},
    "Learning rate": {"train/lr": "learning rate"},
}
_COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 220, 64, 28
_MOST = 200  # points of a line; means of as many as needed beyond


class Records(Callback):
    """Logs `train/lr`, the encoder's; writes `report.html` into the run's folder, at each validation and at the end."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Log the rate that this step trains at."""
        pl_module.log("train/lr", trainer.optimizers[0].param_groups[0]["lr"], batch_size=1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the page, unless Lightning is only trying out the validation loop."""
        if not trainer.sanity_checking:
            self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the page."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()
            write_report(Path(trainer.default_root_dir))


def write_report(folder: Path) -> Path:
    """Writes `report.html` into a run's folder, out of the `metrics.csv` below it, all parts of a resumed run together.

    Raises:
        OSError: it cannot be written.
    """
    logged = read_metrics(folder)
    parts = []
    for title, columns in _CHARTS.items():
        lines = {name: logged[column] for column, name in columns.items() if column in logged}
        if lines:
            parts.append(f"<h2>{title}</h2>{chart(lines)}")
    validated = {column: dict(points) for column, points in logged.items() if column.startswith("val/")}
    steps = sorted({step for points in validated.values() for step in points})
    cells = [[f"{points[step]:.2f}" if step in points else "" for points in validated.values()] for step in steps]
    rows = (f"<tr><td>{'</td><td>'.join((str(step), *row))}</td></tr>" for step, row in zip(steps, cells, strict=True))
    head = "".join(f"<th>{html.escape(column.removeprefix('val/'))}</th>" for column in validated)
    table = f"<h2>Validations</h2><table><tr><th>step</th>{head}</tr>{''.join(rows)}</table>" if steps else ""
    name = html.escape(folder.resolve().name)
    page = folder / "report.html"
    write_text(
        page,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"<h1>{name}</h1>{''.join(parts) or '<p>Nothing was logged yet.</p>'}{table}</html>\n",
    )
    return page


def read_metrics(folder: Path) -> dict[str, Points]:
    """Column -> its logged values; where parts of a resumed run overlap, the later one counts."""
    found: dict[str, dict[int, float]] = {}
    for file in sorted(folder.rglob("metrics.csv"), key=lambda path: path.stat().st_mtime):
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                step = int(row.get("step") or 0) + 1
                for column, value in row.items():
                    if value and column not in ("step", "epoch"):
                        found.setdefault(column, {})[step] = float(value)
    return {column: sorted(values.items()) for column, values in found.items()}


def chart(lines: Mapping[str, Points]) -> str:
    """Lines over steps as an SVG picture, the scale from 0 where all values are above."""
    drawn = {name: _thinned(points) for name, points in lines.items()}
    first = min(points[0][0] for points in drawn.values())
    last = max(points[-1][0] for points in drawn.values())
    values = [value for points in drawn.values() for _, value in points]
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1

    def place(step: float, value: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - 8) * (step - first) / max(1, last - first)
        return x, 8 + (_HEIGHT - _BOTTOM - 8) * (high - value) / (high - low)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low + share * (high - low)
        _, y = place(first, value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - 8}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for step, anchor in ((first, "start"), (last, "end")):
        x, _ = place(step, low)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 10}" text-anchor="{anchor}">step {step}</text>')
    for colour, points in zip(_COLOURS, drawn.values(), strict=False):
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        if len(points) == 1:
            x, y = place(*points[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    legend = " ".join(
        f'<span style="color:{colour}">&#9632; {html.escape(name)}</span>'
        for colour, name in zip(_COLOURS, drawn, strict=False)
    )
    return f'<p>{legend}</p><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


def _thinned(points: Sequence[tuple[int, float]]) -> Points:
    """At most `_MOST` points, means of neighbours: the loss of a single batch depends on its words."""
    width = -(-len(points) // _MOST)
    parts = (points[start : start + width] for start in range(0, len(points), width))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
