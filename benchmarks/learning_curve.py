"""Draws what a training run has learned: validation accuracy and loss over the crops it has seen.

    python benchmarks/learning_curve.py RUN [RUN...] [--batch-size 64] --out docs/learning-curve.png

RUN is a folder that `wordsight train` wrote; of several, each began with the weights that the one before ended with.
How many crops a step takes stands in the last one's model, if it is not given.
Needs matplotlib.
"""

import argparse
import csv
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def series(runs: list[Path], column: str) -> list[tuple[int, float]]:
    """(step, value) of one logged quantity, all parts of a resumed run together, one run after the other."""
    points: dict[int, float] = {}
    done = 0
    for run in runs:
        rows = []
        for file in sorted(run.rglob("metrics.csv"), key=lambda path: path.stat().st_mtime):
            with file.open(newline="") as lines:
                rows += list(csv.DictReader(lines))
        points.update((done + int(row["step"]) + 1, float(row[column])) for row in rows if row.get(column))
        done += max((int(row["step"]) + 1 for row in rows), default=0)
    return sorted(points.items())


def smoothed(points: list[tuple[int, float]], width: int = 10) -> list[tuple[int, float]]:
    """Means of `width` points, one for each: the loss of a single batch depends on how long its words are."""
    means = []
    for start in range(0, len(points) - width + 1, width):
        part = points[start : start + width]
        means.append((part[-1][0], sum(value for _, value in part) / width))
    return means


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--batch-size", type=int, help="crops per step")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    crops = options.batch_size
    if crops is None:
        config = json.loads((options.runs[-1] / "model" / "config.json").read_text(encoding="utf-8"))
        crops = config["about"]["data"]["batch_size"]

    figure, (accuracy, loss) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, columns, label in (
        (accuracy, {"val/accuracy": "36 characters", "val/exact": "exact"}, "validation words read right (%)"),
        (loss, {"train/visual": "visual branch", "train/cross": "cross-modal branch"}, "training loss per character"),
    ):
        for column, name in columns.items():
            points = series(options.runs, column)
            points = smoothed(points) if axis is loss else points
            axis.plot([step * crops / 1000 for step, _ in points], [v for _, v in points], label=name)
        axis.set_xlabel("training crops (thousands)")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(options.out, dpi=110)
    for step, value in series(options.runs, "val/accuracy"):
        print(f"{step * crops:>9,} crops  {value:5.1f} %")


if __name__ == "__main__":
    main()
