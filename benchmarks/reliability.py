"""Draws how far confidences can be believed: a reliability diagram of readings that `wordsight eval --json` wrote.

    python benchmarks/reliability.py READINGS.json [--protocol 94] --out reliability.png

Each point is a bin of equally many words; below the diagonal a model is surer than it is right. Needs matplotlib.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from wordsight.evaluate import PROTOCOLS, Record, calibration_error
from wordsight.evaluate.calibration import reliability
from wordsight.evaluate.metrics import is_right


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="94", help="what counts as right")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    rule = PROTOCOLS[options.protocol]
    found = [Record(**each) for each in json.loads(options.readings.read_text(encoding="utf-8"))["readings"]]
    figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
    axis.plot([0, 100], [0, 100], color="gray", linewidth=1, linestyle="--")
    for name in dict.fromkeys(record.dataset for record in found):
        records = [record for record in found if record.dataset == name and not rule.reject(record.label)]
        if not records:
            continue
        sure, right = [record.confidence for record in records], [is_right(record, rule) for record in records]
        bins = reliability(sure, right, adaptive=True)
        error = 100 * calibration_error(sure, right)
        label = f"{name}: {len(records)} words, ECE {error:.1f} %"
        axis.plot([100 * b.confidence for b in bins], [100 * b.accuracy for b in bins], marker="o", label=label)
    axis.set_xlabel("confidence (%)")
    axis.set_ylabel(f"words read right (%, {rule.name} characters)")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left")
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
