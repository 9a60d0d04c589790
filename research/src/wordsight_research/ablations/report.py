"""A table as Markdown and as a plot."""

import logging
from pathlib import Path

from wordsight_research.ablations.paper import Paper
from wordsight_research.ablations.table import PENDING, Result, Table, by_set, mean_and_spread
from wordsight_research.ablations.training import Settings, as_array

log = logging.getLogger(__name__)


def to_markdown(table: Table) -> str:
    """A table with a line per row, and below it how it was made and how it is to be read."""
    lines = [
        f"# {table.name}",
        "",
        "| row | accuracy | seeds | compared with | difference | at least | parameters | trained | steps | minutes |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_line(result, table.settings.steps) for result in table.results),
        "",
        *_sets(table),
        *_recipes(table),
        *_notes(table),
    ]
    return "\n".join(lines) + "\n"


def _sets(table: Table) -> list[str]:
    """At the paper's scale: what each row reads of each set."""
    done = [result for result in table.results if result.done]
    if not table.sets or not done:
        return []
    lines = ["| row | " + " | ".join(f"{name} ({n})" for name, n in table.sets.items()) + " |"]
    lines.append("|---" * (1 + len(table.sets)) + "|")
    for result in done:
        cells = [f"{100 * share:.1f}" for share in by_set(result, table.sets).values()]
        lines.append(f"| {result.row.name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _recipes(table: Table) -> list[str]:
    """At the paper's scale: the numbers that rows train by."""
    if not table.recipes:
        return []
    lines = [
        "| row | model | towers' rate | decoders' | weight decay | crops a step | steps |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, content in table.recipes.items():
        model, data, trainer = content["model"], content["data"], content["trainer"]
        rate, scale = model["optimiser"]["lr"], model["optimiser"]["decoder_lr_scale"]
        total, devices, fitting = data["total_batch"], trainer["devices"], data["batch_size"]
        cells = [name, model["model"], f"{rate:g}", f"{rate * scale:.3g}", f"{model['optimiser']['weight_decay']:g}"]
        cells += [f"{total} = {devices} x {fitting} x {total // (devices * fitting)}", str(trainer["max_steps"])]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _line(result: Result, steps: int | None) -> str:
    if not result.done:
        return f"| {result.row.name} | {result.status} | | | | | | | | |"
    mean, spread = mean_and_spread(as_array(result.runs))
    accuracy = f"{100 * mean:.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "")
    against, difference, least = "", "", ""
    if result.comparison:
        against = result.against or ""
        difference = f"{100 * result.comparison.difference:+.1f}"
        if not result.comparison.shown:
            difference += ", not shown"
        least = f"{100 * result.comparison.smallest:.1f}"
    one = result.runs[0]
    minutes = sum(run.seconds for run in result.runs) / len(result.runs) / 60
    cells = [result.row.name, accuracy, str(len(result.runs)), against, difference, least]
    cells += [_millions(one.parameters), _millions(one.trainable), str(one.steps or steps), f"{minutes:.1f}"]
    return "| " + " | ".join(cells) + " |"


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def _notes(table: Table) -> list[str]:
    notes = _paper(table, table.settings) if isinstance(table.settings, Paper) else _small(table, table.settings)
    notes.append(
        "`at least`: the smallest difference that counts at 95 % with these words and seeds; a difference below it is "
        "marked as not shown. ± is the standard deviation from seed to seed."
    )
    if any(r.comparison and not r.comparison.covers_seeds for r in table.results):
        notes.append(
            "Rows with one seed: what another seed would have changed is not in `at least`; run more seeds for that."
        )
    if any(r.status == PENDING for r in table.results):
        notes.append(
            "Rows without a result were not asked for, or the budget was used up: run the same command to continue."
        )
    return [line for note in notes for line in (note, "")][:-1]


def _paper(table: Table, settings: Paper) -> list[str]:
    real = ", ".join(path.name for path in settings.real)
    steps = "as many passes as in the paper" if settings.steps is None else f"{settings.steps} steps"
    return [
        f"Word accuracy in %, protocol {table.protocol}, on {table.words} words of the test sets, each crop read once.",
        f"The paper's recipe, {steps}, on {real}: AdamW (0.9, 0.98), one cycle, RandAugment, words of all lengths in a "
        "step, gradients clipped at 20, mixed precision. Crops a step: devices x crops at once x rounds of "
        "accumulation. Whole recipes are in `recipes/`. These test sets chose nothing: choose nothing by them either.",
    ]


def _small(table: Table, settings: Settings) -> list[str]:
    real = ", ".join(path.name for path in settings.real)
    kind = "plain rendered words" if settings.plain else "rendered words"
    trained = f"{kind} and {real}" if real else kind
    towers = f"towers from {table.scale.clip.name}" if table.scale.clip else "no pre-trained towers"
    return [
        f"Word accuracy in %, protocol {table.protocol}, on {table.words} words that no training saw: {kind}"
        + (", and the held-out tenth of each real set." if real else "."),
        f"Made by: {table.scale.model}, {towers}; {settings.steps} steps of {settings.batch_size} words on {trained}; "
        f"peak learning rate {settings.lr:g}, AdamW with weight decay {settings.weight_decay:g}, one cycle, "
        "one device, words of similar length in a step.",
        "Not the paper's recipe (`--paper`): that has weight decay 0.2, RandAugment, words of all lengths in a step of "
        "1024 crops, 16 passes over millions of real words, and is scored on the field's test sets.",
    ]


def plot(table: Table, path: Path) -> bool:
    """Accuracies with the spread of their seeds, as a picture. False, and nothing is written, without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        log.warning("no plot: matplotlib is not installed")
        return False
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    done = [result for result in table.results if result.done]
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(done) + 1.3), layout="constrained")
    for place, result in enumerate(reversed(done)):
        right = as_array(result.runs)
        mean, spread = mean_and_spread(right)
        sure = result.comparison is None or result.comparison.shown
        axes.barh(place, 100 * mean, height=0.62, color="#56b4e9" if sure else "#c9ccd1")
        axes.plot(100 * right.mean(axis=1), [place] * len(right), "o", ms=4, color="#1b3a57", alpha=0.8)
        label = f"{100 * mean:.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "")
        edge = 100 * float(right.mean(axis=1).max())
        axes.annotate(label, (edge, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(done)), [result.row.name for result in reversed(done)])
    axes.margins(x=0.18)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"word accuracy, %, protocol {table.protocol}, n = {table.words}; grey: difference not shown")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
