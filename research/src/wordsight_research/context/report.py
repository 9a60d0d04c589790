"""An outcome as JSON, as Markdown and as a plot."""

import logging
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from wordsight.evaluate.gates import SHUT
from wordsight.evaluate.paired import Paired
from wordsight.train.gates import JUMP
from wordsight_research.context.arms import OWN, Contrast, Experiment
from wordsight_research.context.changes import Changed, changed
from wordsight_research.context.data import plain
from wordsight_research.context.measure import Measured, Scored, bare
from wordsight_research.context.recognizers import LONGEST

log = logging.getLogger(__name__)

FORMAT = 1

EXAMPLES = 10
"""Changed words of an arm that are written out; the JSON has all of them."""


def to_dict(measured: Measured) -> dict[str, Any]:
    """Plain types, for JSON: shares of 1; null where nothing counted."""
    experiment, lab = measured.experiment, measured.outcome.lab
    arms = []
    for arm in experiment.arms:
        runs = measured.runs(arm.name)
        entry: dict[str, Any] = {"name": arm.name, "status": "done" if runs else "not run yet", "config": asdict(arm)}
        if runs:
            entry |= {
                "parameters": runs[0].parameters,
                "added": runs[0].added,
                "vocabulary": [v.hash for v in lab.vocabulary(arm, range(len(lab.words(arm.source)))) or ()],
                "seeds": [
                    {k: v for k, v in asdict(r).items() if k in ("seed", "gates", "loss", "seconds", "speed", "gaze")}
                    for r in runs
                ],
            }
        arms.append(entry)
    out: dict[str, Any] = _finite(
        plain(
            {
                "format": FORMAT,
                "experiment": experiment.name,
                "question": experiment.question,
                "settings": asdict(lab.settings),
                "encoder": encoder_line(measured),
                "machine": measured.outcome.machine,
                "arms": arms,
                "scores": [asdict(s) | {"accuracy": s.mean, "spread": s.spread} for s in measured.scores],
                "contrasts": [
                    asdict(c.contrast) | {"parts": {t: asdict(p) | {"shown": p.shown} for t, p in c.parts.items()}}
                    for c in measured.contrasts
                ],
                "misled": [asdict(m) for m in measured.misled],
                "changed": [asdict(c) for c in changed(measured)],
                "spotting": [{"arm": arm, "condition": shown, **asdict(s)} for arm, shown, s in measured.spotting],
            }
        )
    )
    return out


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if (isinstance(value, float) and value in (float("inf"), float("-inf"))) or value != value else value


def encoder_line(measured: Measured) -> str:
    """Which scene encoder it was."""
    given = measured.outcome.lab.settings.encoder
    if given:
        return given
    return (
        "rendered-scene encoder: a transformer of 0.1 M parameters trained to name the place of other rendered "
        "scenes; not CLIP, and it knows nothing of photographs"
    )


def to_markdown(measured: Measured) -> str:
    """Tables of scores, of comparisons and of what else the experiment asks for, and how to read them."""
    experiment = measured.experiment
    lines = [f"# {experiment.name}", "", experiment.question, ""]
    ned = experiment.ned
    lines += [
        "| arm | shown | accuracy | IV | OOV |" + (" 1-NED |" if ned else "") + " scene available | seeds |",
        "|---|---|---|---|---|" + ("---|" if ned else "") + "---|---|",
        *(_score(s, ned) for s in measured.scores),
    ]
    lines += [f"| {arm.name} | not run yet |" for arm in experiment.arms if not measured.runs(arm.name)]
    lines += ["", "## Differences", ""]
    lines += [
        "| what | less what | difference | 95 % | at least | McNemar p | IV | OOV |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for c in measured.contrasts:
        one, p = c.parts["all"], c.contrast
        first, second = sides(experiment, p)
        cells = [first, second, _points(one), _interval(one), f"{100 * one.smallest:.1f}", f"{one.mcnemar:.2g}"]
        cells += [_part(c.parts.get(title)) for title in ("IV", "OOV")]
        lines.append("| " + " | ".join(cells) + " |")
    lines += _other_parts(measured)
    lines += _misled(measured)
    lines += _gates(measured)
    lines += _speed(measured)
    lines += _gaze(measured)
    lines += _changed(changed(measured))
    lines += _spotting(measured)
    return "\n".join([*lines, "", *_notes(measured)]) + "\n"


def _score(s: Scored, ned: bool) -> str:
    accuracy = f"{100 * s.mean:.1f}" + (f" ± {100 * s.spread:.1f}" if s.spread is not None else "")
    cells = [s.arm, s.condition, accuracy, _percent(s.iv), _percent(s.oov), *([_percent(s.ned)] if ned else [])]
    return "| " + " | ".join([*cells, f"{s.available}/{s.n}", str(len(s.accuracies))]) + " |"


def _percent(share: float) -> str:
    return "-" if isnan(share) else f"{100 * share:.1f}"


def _points(p: Paired) -> str:
    return f"{100 * p.difference:+.1f}" + ("" if p.shown else ", not shown")


def _interval(p: Paired) -> str:
    return f"{100 * p.low:+.1f} to {100 * p.high:+.1f}"


def _part(p: Paired | None) -> str:
    return "-" if p is None else f"{_points(p)} ({_interval(p)}; n {p.n})"


def sides(experiment: Experiment, c: Contrast) -> tuple[str, str]:
    """What is compared, in words: no two contrasts of an experiment have the same."""
    if c.arm == c.other:
        return f"{c.arm}: {c.condition}", c.other_condition
    return _side(experiment, c.arm, c.condition), _side(experiment, c.other, c.other_condition)


def _side(experiment: Experiment, name: str, condition: str) -> str:
    shown = condition if experiment.arm(name).clipter else bare(condition)
    return name if shown in (OWN.name, "-") else f"{name}: {shown}"


def _other_parts(measured: Measured) -> list[str]:
    titles = list(dict.fromkeys(t for c in measured.contrasts for t in c.parts if t not in ("all", "IV", "OOV")))
    if not titles:
        return []
    lines = [
        "",
        "## Parts of the test words",
        "",
        "| what | less what | words | difference | 95 % | n |",
        "|---|---|---|---|---|---|",
    ]
    for c in measured.contrasts:
        first, second = sides(measured.experiment, c.contrast)
        for title in titles:
            if p := c.parts.get(title):
                lines.append(f"| {first} | {second} | {title} | {_points(p)} | {_interval(p)} | {p.n} |")
    return lines


def _misled(measured: Measured) -> list[str]:
    if not measured.misled:
        return []
    lines = [
        "",
        "## Printed or suggested",
        "",
        "| arm | shown | as printed | as the rival | else | changed |",
        "|---|---|---|---|---|---|",
    ]
    for m in measured.misled:
        cells = (f"{100 * x:.1f}" for x in (m.printed, m.rival, m.other, m.changed))
        lines.append(f"| {m.arm} | {m.condition} | " + " | ".join(cells) + " |")
    note = "`changed`: other readings than with the word's own scene, the crop being the same."
    return [*lines, "", note]


def _gates(measured: Measured) -> list[str]:
    rows = []
    for arm in measured.experiment.arms:
        runs = [run for run in measured.runs(arm.name) if run.gates]
        for place in runs[0].gates if runs and arm.gate is None else ():
            traces = [run.gates[place] for run in runs]
            shown = " ".join(f"{traces[0][round(x * (len(traces[0]) - 1))]:.3f}" for x in (0, 0.1, 0.25, 0.5, 0.75, 1))
            ends = ", ".join(f"{trace[-1]:.3f}" for trace in traces)
            jump = max((abs(t[i + 5] - t[i]) for t in traces for i in range(len(t) - 5)), default=0.0)
            shut = any(abs(trace[-1]) < SHUT for trace in traces)
            signs = [s for s, on in (("stays shut", shut), ("jumps", jump > JUMP)) if on]
            rows.append(f"| {arm.name} | {place} | {shown} | {ends} | {', '.join(signs) or '-'} |")
    if not rows:
        return []
    head = "| arm | place | at 0, 10, 25, 50, 75, 100 % of the steps, first seed | end, by seed | sign of failure |"
    return ["", "## Gates", "", head, "|---|---|---|---|---|", *rows]


def _speed(measured: Measured) -> list[str]:
    rows = []
    for arm in measured.experiment.arms:
        timed = [run for run in measured.runs(arm.name) if run.speed]
        for count, ways in (timed[0].speed if timed else {}).items():
            spans = [ways.get(way) for way in ("alone", "cached", "cold")]
            cells = [f"{s[1]:.2f} ({s[0]:.2f} to {s[2]:.2f})" if s else "-" for s in spans]
            rows.append(f"| {arm.name} | {timed[0].added:,} | {count} | " + " | ".join(cells) + " |")
    if not rows:
        return []
    head = "| arm | added parameters | words per image | alone | scene cached | scene cold |"
    how = f"Medians (quartiles), arms in turns, measured now on {measured.outcome.machine}."
    return ["", "## Milliseconds per word", "", head, "|---|---|---|---|---|---|", *rows, "", how]


def _gaze(measured: Measured) -> list[str]:
    rows = []
    for arm in measured.experiment.arms:
        seen = [run.gaze for run in measured.runs(arm.name) if run.gaze]
        if seen:
            means = [f"{sum(g[name] for g in seen) / len(seen):.3f}" for name in ("[CLS]", "own box", "box", "entropy")]
            rows.append(f"| {arm.name} | " + " | ".join(means) + " |")
    if not rows:
        return []
    head = "| arm | on [CLS] | of the rest, on the word's own box | share of the tokens there | entropy |"
    return ["", "## Attention over the scene", "", head, "|---|---|---|---|---|", *rows]


def _changed(changes: list[Changed]) -> list[str]:
    if not changes:
        return []
    lines = ["", "## Words that the own scene changes", "", "| arm | changed | mended | spoilt |", "|---|---|---|---|"]
    for c in changes:
        lines.append(f"| {c.arm} | " + " | ".join(f"{100 * x:.1f}" for x in (c.changed, c.mended, c.spoilt)) + " |")
    lines += ["", "In % of the words, against the same model without a scene. The first seed's, some of them:", ""]
    lines += ["| arm | scene | printed | no scene | own scene |", "|---|---|---|---|---|"]
    for c in changes:
        for w in c.words[:EXAMPLES]:
            cells = (c.arm, w.scene, w.printed, w.without, w.told)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _spotting(measured: Measured) -> list[str]:
    if not measured.spotting:
        return []
    head = "| arm | shown | detection H-mean | end to end precision | recall | H-mean |"
    lines = ["", "## End to end", "", head, "|---|---|---|---|---|---|"]
    for arm, shown, score in measured.spotting:
        cells = (f"{100 * x:.1f}" for x in (score.detection()[2], *score.end_to_end()))
        lines.append(f"| {arm} | {shown} | " + " | ".join(cells) + " |")
    return lines


def _notes(measured: Measured) -> list[str]:
    experiment, one = measured.experiment, measured.outcome.lab.settings
    sets = list(dict.fromkeys(arm.source.name for arm in experiment.arms))
    starts = ", ".join(f"{name} from {Path(folder).name}" for name, folder in one.starts) or "none given"
    stage_one = f"stage one {one.steps_one} steps of {one.batch_size} words (given recognizers: {starts})"
    notes = [
        f"Word accuracy in %, protocol 36 (labels of other scripts: case ignored). Test words: {', '.join(sets)}.",
        *_seen(measured),
        f"Scene encoder: {encoder_line(measured)}.",
        f"Compact recognizers (at most {LONGEST} characters); {stage_one}, the same checkpoint for all arms and seeds; "
        f"stage two {one.steps} steps, peak rate {one.lr:g}, {100 * one.scene_dropout:g} % of the words without scene.",
        "95 %: bootstrap over scenes. `at least`: the smallest difference that these words, scenes and seeds can show; "
        "what is below, or has 0 in its interval, is marked `not shown`. ± is from seed to seed of stage two. McNemar: "
        "exact, first seed, words taken as independent.",
    ]
    if any(arm.source.rendered for arm in experiment.arms):
        notes.append(f"Rendered scenes: {one.train_scenes} to train, {one.test_scenes} to read, wear {one.wear:g}.")
    if any(c.parts["all"].seeds == 1 for c in measured.contrasts):
        notes.append("One seed: what another one would have changed is not in `at least`.")
    missing = [name for name in experiment.needs if name not in sets]
    if missing:
        notes.append(f"Without {', '.join(missing)}: give --data.")
    if experiment.falsified:
        notes.append(f"Speaks against the paper: {experiment.falsified}.")
    return [line for note in (*notes, *experiment.notes) for line in (note, "")][:-1]


def _seen(measured: Measured) -> list[str]:
    """Whether a training saw the test words' scenes, and whose words IV and OOV are about, set by set."""
    lab, notes = measured.outcome.lab, []
    arms = {(arm.recognizer, arm.source.name): arm for arm in measured.experiment.arms}
    unseen, unknown, seen = [], [], []
    for (recognizer, name), arm in arms.items():
        before = lab.trained_on(arm)
        own_test = arm.source.rendered or lab.has_test(name)
        if before is None and not own_test:
            unknown.append(f"{recognizer} on {name}")
        elif before is not None and name in before and not own_test:
            seen.append(f"{recognizer} on {name}")
        else:
            unseen.append(f"{recognizer} on {name}")
    if unseen:
        notes.append(f"No training saw the scenes of these test words: {', '.join(unseen)}.")
    if seen:
        notes.append(
            f"**The given recognizer was trained on the very scenes that are read here** ({', '.join(seen)}): folds "
            "keep them from the second stage alone. Accuracies are too high, differences are the second stage's."
        )
    if unknown:
        notes.append(
            f"Whether the given recognizer was trained on these scenes is not known ({', '.join(unknown)}): its "
            "checkpoint does not say what it was trained on."
        )
    if any(lab.vocabulary(arm, [0]) is None for arm in arms.values()):
        notes.append(
            "IV and OOV are left out where the given recognizer does not carry the words of its own training: name "
            "them with --start-data."
        )
    else:
        notes.append("IV, OOV: words that either stage of training had or had not, case ignored.")
    return notes


def plot(measured: Measured, path: Path) -> bool:
    """Differences with their intervals, as a picture. False, and nothing is written, without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        log.warning("no plot: matplotlib is not installed")
        return False
    if not measured.contrasts:
        return False
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = list(reversed(measured.contrasts))
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(shown) + 1.3), layout="constrained")
    for row, c in enumerate(shown):
        p = c.parts["all"]
        color = "#0072b2" if p.shown else "#9aa0a6"
        axes.plot([100 * p.low, 100 * p.high], [row, row], color=color, lw=2)
        axes.plot([100 * p.difference], [row], "o", color=color, ms=5)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(shown)), [" − ".join(sides(measured.experiment, c.contrast)) for c in shown], fontsize=7)
    axes.set_xlabel("points of word accuracy, 95 % over scenes; grey: not shown")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
