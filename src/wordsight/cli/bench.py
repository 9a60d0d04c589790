"""`wordsight bench`."""

from pathlib import Path

import typer

from wordsight.cli.app import app
from wordsight.cli.options import DEFAULT_MODEL, DecodingMode, JsonFile, ModelArgument, Threads


@app.command()
def bench(
    model: ModelArgument = DEFAULT_MODEL,
    photos: list[Path] | None = typer.Argument(
        None, metavar="[PHOTO]...", help="Pictures to read. Default: a rendered one with a few words."
    ),
    rounds: int = typer.Option(20, min=1, help="Read each photo this many times."),
    threads: Threads = None,
    mode: DecodingMode = "adaptive",
    json_file: JsonFile = None,
) -> None:
    """Measure how long reading takes here: by stage, per photo and per word, median and 95th percentile; memory, FLOPs.

    What else runs on the machine counts, too: measure on a quiet one.
    """
    import json

    import numpy as np
    from rich.console import Console
    from rich.table import Column, Table

    from wordsight.cli.stopwatch import flops, measure, peak_memory
    from wordsight.files import write_text
    from wordsight.runtime import find_model, load_pack
    from wordsight.runtime.sessions import processors
    from wordsight.weights.catalogue import refuse_published

    refuse_published(model)
    pack = load_pack(find_model(model))
    threads = threads or processors()
    times, provider = measure(pack, photos or [], rounds, threads, mode)
    columns = (Column(name, justify="right") for name in ("n", "median, ms", "p95, ms"))
    table = Table("stage", *columns, title=f"{pack.name}, {threads} threads, {provider}", title_justify="left")
    for stage, seconds in times.items():
        table.add_row(stage, str(len(seconds)), *(f"{1000 * np.percentile(seconds, q):.1f}" for q in (50, 95)))
    Console().print(table)
    typer.echo(f"peak memory of this process: {peak_memory():.0f} MB; the pack: {pack.bytes / 1e6:.1f} MB")
    for name, count in flops(pack).items():
        typer.echo(f"{name}: {count / 1e6:,.0f} MFLOPs for one crop (multiplications and additions)")
    if json_file:
        write_text(json_file, json.dumps({"model": pack.name, "threads": threads, "seconds": times}) + "\n")
