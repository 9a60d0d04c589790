"""`wordsight-research ablate`."""

from pathlib import Path

import typer

from wordsight_research.cli.app import app


@app.command()
def ablate(
    name: str = typer.Argument(help="components, freezing, pretraining, peft or shapes."),
    out: Path = typer.Option(
        Path("runs/ablate"), "--out", "-o", help="Output folder; trainings found there are reused."
    ),
    rows: list[str] = typer.Option([], "--row", help="Train this row alone; may be repeated. Default: all."),
    seeds: int = typer.Option(1, min=1, help="Trainings per row."),
    steps: int | None = typer.Option(
        None, min=1, help="Steps per training, which sets the cost. Default: 1800, or the paper's epochs with --paper."
    ),
    paper: bool = typer.Option(
        False, "--paper", help="The paper's recipe and models, trained on --real and scored on --benchmarks."
    ),
    benchmarks: Path | None = typer.Option(None, metavar="ROOT", help="With --paper: the field's test sets."),
    devices: int = typer.Option(1, min=1, help="With --paper: GPUs that share each step."),
    budget: float | None = typer.Option(None, min=0, help="Minutes after which no further training starts."),
    model: str | None = typer.Option(
        None,
        help="Preset of the rows. Default: a very small one for plain words, else clip4str-tiny; with --paper, b16.",
    ),
    large: str | None = typer.Option(None, help="Preset of the large model. Default: a third wider and twice as deep."),
    clip: Path | None = typer.Option(
        None, help="Checkpoint folder of a CLIP or of a trained recognizer, whose towers are used."
    ),
    clip_large: Path | None = typer.Option(None, help="The same for the large model."),
    imagenet_1k: Path | None = typer.Option(None, help="Checkpoint folder of a ViT trained on ImageNet-1K."),
    imagenet_21k: Path | None = typer.Option(None, help="The same, on ImageNet-21K."),
    full: bool = typer.Option(
        False, "--full", help="Train on words as they look in photographs instead of plain ones."
    ),
    real: list[Path] = typer.Option([], help="Real words to train on, a tenth held out; implies --full."),
    real_share: float = typer.Option(0.25, help="Share of real words in training, above 0, up to 1."),
    words: list[Path] = typer.Option([], help="Word list to render; may be repeated."),
    backgrounds: Path | None = typer.Option(None, help="Folder of pictures to use as backgrounds."),
    fonts: list[Path] = typer.Option([], help="Folder of fonts; may be repeated. Default: the system's."),
    lr: float = typer.Option(2e-3, min=0, help="Peak learning rate of the decoders. --paper has its own."),
    batch_size: int | None = typer.Option(
        None, min=1, help="Words per step (default 16). With --paper, at most this many per device (default 128)."
    ),
    eval_words: int = typer.Option(1000, min=1, help="At most this many words of each source are read for the scores."),
    workers: int = typer.Option(1, min=0, help="Processes that render."),
) -> None:
    """Reproduce a table of the paper, or compare tower shapes, and say which differences hold up.

    Writes NAME.json, NAME.md and NAME.png. If interrupted, the same command resumes; more --seeds add to what is there.
    """
    import json
    import sys

    from wordsight.cli.output import check_folder
    from wordsight.errors import ConfigError
    from wordsight.files import write_text
    from wordsight_research.ablations.build import COMPACT, Scale
    from wordsight_research.ablations.paper import Paper
    from wordsight_research.ablations.report import plot, to_markdown
    from wordsight_research.ablations.table import make_table
    from wordsight_research.ablations.training import Settings

    check_folder(out)
    plain = not (full or real or words or backgrounds or fonts)
    if paper and (not real or benchmarks is None or full or words or backgrounds or fonts):
        raise ConfigError("--paper trains on --real and is scored on --benchmarks: give both, and no rendered words")
    if not paper and (benchmarks or devices > 1):
        raise ConfigError("--benchmarks and --devices are for the paper's scale: give --paper, too")
    model = model or ("clip4str-b16" if paper else COMPACT if plain else "clip4str-tiny")
    scale = Scale(model, large, clip, clip_large, imagenet_1k, imagenet_21k)
    settings: Settings | Paper
    if paper and benchmarks:
        settings = Paper(tuple(real), benchmarks, steps, devices, batch_size or 128, workers)
    else:
        settings = Settings(
            steps=steps or 1800,
            batch_size=batch_size or 16,
            lr=lr,
            plain=plain,
            real=tuple(real),
            words=tuple(words),
            backgrounds=backgrounds,
            fonts=tuple(fonts),
            real_share=real_share,
            eval_words=eval_words,
            workers=workers,
        )
    table = make_table(
        name,
        scale,
        settings,
        seeds,
        out,
        only=rows,
        budget=float("inf") if budget is None else 60 * budget,
        say=lambda text: typer.echo(text, err=True),
        bar=sys.stderr.isatty(),
    )
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / f"{name}.json", json.dumps(table.to_dict(), indent=1) + "\n")
    text = to_markdown(table)
    write_text(out / f"{name}.md", text)
    drawn = any(result.done for result in table.results) and plot(table, out / f"{name}.png")
    typer.echo(text)
    typer.echo(f"{out}: {name}.json, {name}.md" + (f", {name}.png" if drawn else ""))
