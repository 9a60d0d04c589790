"""`wordsight finetune`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from wordsight.cli.app import app
from wordsight.cli.options import DEFAULT_MODEL, Fonts, Out, Seed, Start, print_tables
from wordsight.cli.progress import progress_or_lines
from wordsight.errors import ConfigError

if TYPE_CHECKING:
    from wordsight.train.finetune_plan import Plan, Tower

WORST = 30  # pictures on the page


@app.command()
def finetune(
    out: Out,
    words: Path = typer.Argument(help="Your crops: a folder with labels.tsv (file name TAB text), LMDB, scenes.jsonl."),
    start: Annotated[str, Start] = DEFAULT_MODEL,
    pack: Path | None = typer.Option(None, help="Also write a pack for `wordsight read --model` here."),
    tower: str = typer.Option(
        "auto", help="Train this much of the towers: frozen (nothing), lora, full; auto: by number of words."
    ),
    steps: int = typer.Option(200, min=1, help="Train for this many steps. More words need more."),
    batch_size: int = typer.Option(32, min=2, help="Train on this many crops in each step."),
    lr: float | None = typer.Option(
        None, min=0.0, help="Use this peak learning rate. Default: 0.0005 for a CLIP4STR, 0.00005 for latin."
    ),
    replay: float = typer.Option(0.5, help="Render this share of the training words, so that nothing is forgotten."),
    blend: float = typer.Option(0.6, help="Keep this share of what was trained: 1 learns and forgets the most."),
    valid_share: float = typer.Option(
        0.2, help="Keep this share of your words, the last ones, for testing before and after."
    ),
    general: Path | None = typer.Option(None, help="Measure forgetting on this data set. Default: on rendered words."),
    fonts: Fonts = None,
    workers: int = typer.Option(0, min=0, help="Prepare crops in this many further processes."),
    seed: Seed = 0,
) -> None:
    """Teach a recognizer your words, and characters that it did not know, from a few hundred crops.

    Ctrl-C ends training early and keeps what was learned by then.
    """
    import json

    from wordsight.cli.compared import exhibit
    from wordsight.cli.output import check_folder
    from wordsight.evaluate.report import tables, to_dict, to_html, worst
    from wordsight.files import write_text
    from wordsight.train.finetune import run_finetuning
    from wordsight.train.finetune_plan import Settings, plan_finetuning
    from wordsight.weights.export import export_pack
    from wordsight.weights.starts import checkpoint_folder

    if tower not in ("auto", "frozen", "lora", "full"):
        raise ConfigError(f"--tower {tower!r} is unknown: choose auto, frozen, lora or full")
    if out.resolve() == Path(start).resolve():
        raise ConfigError(f"--out {out} is the model you start from: choose another folder")
    for folder in (out, pack):
        if folder is not None:
            check_folder(folder)
    settings = Settings(
        cast("Tower", tower), steps, batch_size, replay, lr, blend, valid_share, workers, seed, tuple(fonts or ())
    )
    plan = plan_finetuning(checkpoint_folder(start), words, settings, general, progress_or_lines)
    _print_plan(plan)
    outcome = run_finetuning(plan, out, progress_or_lines)
    if outcome.steps < steps:
        typer.echo(f"stopped after {outcome.steps} of {steps} steps")
    print_tables(tables(outcome.report), 120)
    held_out = len(plan.held_out)
    typer.echo(f"of {held_out} held-out words {outcome.gained} became right and {outcome.lost} wrong")
    report = to_dict(outcome.report)
    write_text(out / "report.json", json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n")
    records = outcome.report.records[:held_out]
    worst_ones = [exhibit(plan.held_out[i].image, records[i]) for i in worst(records, outcome.rule, WORST)]
    write_text(out / "worst.html", to_html(outcome.report, worst_ones))
    adapter = ", adapter/" if plan.tower == "lora" else ""
    typer.echo(f"{out}: checkpoint, report.html (learning curve), report.json, worst.html{adapter}")
    if pack:
        about: dict[str, Any] = {"licence": "not stated", **plan.about, "finetuned": outcome.about}
        made = export_pack(outcome.model, pack, name=pack.resolve().name, cross=plan.cross, about=about)
        typer.echo(f"{pack}: {made.bytes / 1e6:.1f} MB; read with it: wordsight read PHOTO --model {pack}")


def _print_plan(plan: "Plan") -> None:
    """Prints what will be trained, and what is wrong with the words."""
    svtr = plan.model.architecture == "svtr"
    means = {
        "frozen": "convolutions frozen: the rest trains" if svtr else "towers frozen: decoders and heads train",
        "lora": "LoRA in both towers; decoders and heads train",
        "full": "everything trains",
    }
    typer.echo(f"{len(plan.training)} words to train on, {len(plan.held_out)} held out; {means[plan.tower]}")
    for reason, count in plan.left_out.items():
        typer.echo(f"left out: {count} {reason}")
    if plan.new:
        typer.echo(f"new characters: {' '.join(f'{c} (U+{ord(c):04X})' for c in plan.new)}")
    for remark in plan.remarks:
        typer.echo(f"note: {remark}")
