"""Puts what `make pack` measured into the pack and onto a page, from which its model card is written.

    python benchmarks/card.py PACK RUN

RUN is the folder that `make pack` keeps everything in: parity.json, promises.json and, where there were test sets,
scores.json. Scores go into the pack's `about`, RUN/card.md shows all of it.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wordsight.runtime import Pack, load_pack
from wordsight.runtime.pack import write_manifest

PICTURES = {"learning-curve.png": "What the run learned", "reliability.png": "Confidences and what they are worth"}


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table in Markdown; numbers that are not whole with two decimals."""
    cells = [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *cells)]


def calibration(pack: Pack) -> list[str]:
    """What `wordsight calibrate` found."""
    facts = pack.about.get("calibration")
    if not facts:
        return ["Not calibrated: there were no real words."]
    rows = [(when, *facts[when].values()) for when in ("before", "after")]
    said = f"On {facts['words']} held-out words of {', '.join(facts['data'])} (protocol {facts['protocol']}):"
    return [said, "", *table(("", "temperature", "ECE %", "adaptive ECE %", "log loss"), rows)]


def page(pack: Pack, run: Path) -> list[str]:
    """The lines of the page."""
    about, lines = pack.about, [f"# {pack.name}", ""]
    facts = (("architecture", pack.architecture), ("MB", pack.bytes / 1e6), ("charset", pack.charset.name))
    steps = [(key, about[key]) for key in ("steps", "validation_accuracy", "data", "weights") if key in about]
    lines += table(("", ""), [*facts, *steps])
    if scores := _read(run / "scores.json"):
        keys = ("dataset", "protocol", "n", "accuracy", "ned", "ece", "adaptive_ece")
        rows = [[100 * s[k] if isinstance(s[k], float) else s[k] for k in keys] for s in scores["scores"]]
        lines += [
            "",
            "## Scores",
            "",
            *table(("data", "protocol", "n", "accuracy %", "1-NED %", "ECE %", "aECE %"), rows),
        ]
    lines += ["", "## Calibration", "", *calibration(pack)]
    if parity := _read(run / "parity.json"):
        lines += ["", "## Beside PyTorch", "", *table(tuple(parity[0]), [list(row.values()) for row in parity])]
    if promises := _read(run / "promises.json"):
        lines += ["", "## Promises", "", *table(tuple(promises[0]), [list(row.values()) for row in promises])]
    return lines + [f"\n![{what}]({name})" for name, what in PICTURES.items() if (run / name).exists()]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("run", type=Path)
    options = parser.parse_args()

    pack = load_pack(options.pack)
    if scores := _read(options.run / "scores.json"):
        known = {
            f"{s['dataset'].split('/')[-1].upper()}-{s['n']} {s['protocol']}": round(100 * s["accuracy"], 2)
            for s in scores["scores"]
            if s["accuracy"] is not None
        }
        pack = replace(pack, about={**pack.about, "scores": known})
        write_manifest(pack)
    text = "\n".join(page(pack, options.run)) + "\n"
    (options.run / "card.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
