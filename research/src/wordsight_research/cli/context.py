"""`wordsight-research context`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight_research.cli.app import app

if TYPE_CHECKING:
    from wordsight_research.context.detected import Find


@app.command()
def context(
    name: str = typer.Argument(
        help="dial, first-three, vlm, integration, fusion, oov, data-size, script, context-stress, degrade, leak, "
        "latency, gate, spot or document."
    ),
    out: Path = typer.Option(Path("runs/context"), "--out", "-o", help="Output folder; what is found there is reused."),
    seeds: int = typer.Option(3, min=1, help="Second stages per arm."),
    steps: int = typer.Option(1000, min=1, help="Steps of every second stage."),
    steps_one: int = typer.Option(2500, min=1, help="Steps of stage one, shared by all arms of a recognizer."),
    lr: float = typer.Option(1e-3, min=0, help="Peak learning rate of the second stage."),
    batch_size: int = typer.Option(32, min=1, help="Words per step."),
    budget: float | None = typer.Option(None, min=0, help="Minutes after which no further training starts."),
    data: Path | None = typer.Option(None, help="Folder with train/NAME/scenes.jsonl, and test/NAME."),
    sets: list[str] = typer.Option([], "--set", help="rendered, or a NAME of --data; may be repeated."),
    recognizer: list[str] = typer.Option([], help="parseq, vitstr, crnn, trba, abinet, clip4str; may be repeated."),
    start: list[str] = typer.Option([], help="RECOGNIZER=FOLDER: a trained checkpoint instead of stage one."),
    start_data: list[Path] = typer.Option(
        [], help="Data sets and word lists that --start was trained on, if its checkpoint does not carry its words."
    ),
    encoder: list[str] = typer.Option([], help="Scene encoder: a folder or a name on the hub; vlm takes several."),
    resolution: int | None = typer.Option(None, min=1, help="Side of the square that scenes are resized to."),
    scenes: int = typer.Option(1500, min=20, help="Rendered scenes to train on."),
    test_scenes: int = typer.Option(300, min=2, help="Rendered scenes to read."),
    wear: float = typer.Option(0.7, min=0, max=1, help="How worn the rendered words are, from 0 to 1."),
) -> None:
    """Run one of CLIPTER's experiments: train its arms, read under its conditions, report which differences hold up.

    Writes NAME.json, NAME.md and NAME.png. If interrupted, the same command resumes; more --seeds add to what is there.
    """
    import json

    from wordsight.cli.progress import progress
    from wordsight.errors import ConfigError
    from wordsight.files import write_text
    from wordsight_research.context.experiments import experiment
    from wordsight_research.context.lab import Laboratory, Settings
    from wordsight_research.context.measure import Measured
    from wordsight_research.context.report import plot, to_dict, to_markdown
    from wordsight_research.context.run import run_experiment

    pairs = []
    for one in start:
        which, sign, folder = one.partition("=")
        if not sign:
            raise ConfigError(f"--start {one}: give RECOGNIZER=FOLDER")
        pairs.append((which, folder))
    there = sorted(file.parent.name for file in (data / "train").glob("*/scenes.jsonl")) if data else []
    if data and not there:
        raise ConfigError(f"{data} has no train/NAME/scenes.jsonl: create them with wordsight data import")
    chosen = experiment(name, there, sets, recognizer, encoder[1:])
    taking_part = list(dict.fromkeys(arm.recognizer for arm in chosen.arms))
    for which, _ in pairs:
        if which not in taking_part:
            raise ConfigError(f"--start {which}: the recognizers of {name} are {', '.join(taking_part)}")
    settings = Settings(
        steps=steps,
        steps_one=steps_one,
        batch_size=batch_size,
        lr=lr,
        train_scenes=scenes,
        test_scenes=test_scenes,
        loose_words=4 * scenes,
        wear=wear,
        encoder=encoder[0] if encoder else None,
        resolution=resolution,
        data=data,
        starts=tuple(pairs),
        start_data=tuple(start_data),
    )
    lab = Laboratory(settings, out, lambda text: typer.echo(text, err=True), _finder() if name == "spot" else None)
    minutes = float("inf") if budget is None else 60 * budget
    measured = Measured(
        run_experiment(chosen, lab, seeds, minutes, lambda jobs: progress(jobs, len(jobs), "trainings"))
    )
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / f"{name}.json", json.dumps(to_dict(measured), indent=1) + "\n")
    text = to_markdown(measured)
    write_text(out / f"{name}.md", text)
    drawn = plot(measured, out / f"{name}.png")
    typer.echo(text)
    typer.echo(f"{out}: {name}.json, {name}.md" + (f", {name}.png" if drawn else ""))


def _finder() -> "Find":
    """Finds words as `wordsight read` does."""
    import numpy as np

    from wordsight import Reader

    reader = Reader()
    return lambda pixels: [np.array(word.polygon) for word in reader.read(pixels).words]
