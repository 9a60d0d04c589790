"""`wordsight models calibrate`: confidences that mean what they say."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.models import models
from wordsight.cli.options import DeviceName, ModelArgument, Threads
from wordsight.cli.progress import progress, samples
from wordsight.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from wordsight.data import Sample
    from wordsight.decoding import Reading
    from wordsight.evaluate.calibration import Readings
    from wordsight.imaging import Preprocessing
    from wordsight.reading.parts import Recognizer
    from wordsight.runtime import Pack

PROTOCOL = "94"
"""What counts as right: a confidence is a promise about the text as it is printed, case and punctuation included."""

BATCH = 32


@models.command()
def calibrate(
    model: ModelArgument,
    data: list[Path] = typer.Argument(help="Training data: folders with labels.tsv, LMDB or scenes.jsonl."),
    share: float = typer.Option(
        0.1,
        min=0,
        max=1,
        help="Read this share, the end of each data set, which training held out (data.validation_share); 1: all.",
    ),
    device: DeviceName = "auto",
    threads: Threads = None,
    dry_run: bool = typer.Option(False, "--dry-run", help="Report only, and leave the pack as it is."),
) -> None:
    """Fit a pack's temperature on words it was not trained on, and write it to pack.json.

    The words are read as crops, without constraints and scenes. The temperature is kept if it is measurably better.

    Never give it a test set: scores on that set would be worthless afterwards.
    """
    from wordsight.evaluate import fit_temperature
    from wordsight.evaluate.calibration import is_better
    from wordsight.runtime import find_model, load_pack
    from wordsight.runtime.pack import MANIFEST, write_manifest

    here = Path(model)  # goes before a shipped model of that name, which nobody wants changed by accident
    pack = load_pack(here if (here / MANIFEST).is_file() else find_model(model))
    samples = _held_out(pack, data, share)
    if len(samples) < 2:
        raise DataError("no words to calibrate on: give more DATA, or a larger --share")

    lines = _Remembered(threads)

    def read(temperature: float) -> "Readings":
        return _read(replace(pack, temperature=temperature), samples, device, threads, lines)

    before, found = read(1.0), round(fit_temperature(read), 3)
    after = read(found)
    errors = {"before": _errors(1.0, before), "after": _errors(found, after)}
    for each in errors.values():
        typer.echo(
            f"temperature {each['temperature']:.3f}: ECE {each['ece']} %, adaptive {each['adaptive_ece']} %, "
            f"log loss {each['log_loss']}"
        )
    if is_better(before, after):
        verdict = "measurably better"
    else:
        found, errors["after"], verdict = 1.0, errors["before"], "not measurably better: 1 stays"
    facts = {"words": len(samples), "data": [path.resolve().name for path in data], "protocol": PROTOCOL}
    if not dry_run:
        write_manifest(replace(pack, temperature=found, about={**pack.about, "calibration": facts | errors}))
    typer.echo(f"{pack.folder}: {len(samples)} words, {verdict}{', nothing written' if dry_run else ''}")


def _held_out(pack: "Pack", data: Sequence[Path], share: float) -> list["Sample"]:
    """The words that training would hold out, without those that cannot be read."""
    from wordsight.data import filter_labels, holdout, open_source

    found: list[Sample] = []
    for path in data:
        words, _ = filter_labels(open_source(path), pack.charset, pack.max_length)
        found += samples(holdout(words, share)[1], path.name)
    return found


class _Remembered:
    """The shipped recognizer of lines, which reads a picture once: it is the same at every temperature of another."""

    def __init__(self, threads: int | None) -> None:
        self._threads = threads
        self._known: dict[bytes, Reading] = {}

    @cached_property
    def _recognizer(self) -> "Recognizer":
        from wordsight.reading.shipped import shipped_line_reader

        return shipped_line_reader(self._threads)

    @property
    def preprocessing(self) -> "Preprocessing":
        return self._recognizer.preprocessing

    @property
    def provider(self) -> str:
        return self._recognizer.provider

    def read(self, images: "npt.NDArray[np.float32]") -> "list[Reading]":
        keys = [sha256(image.tobytes()).digest() for image in images]
        new = [row for row, key in enumerate(keys) if key not in self._known]
        if new:
            self._known |= zip((keys[row] for row in new), self._recognizer.read(images[new]), strict=True)
        return [self._known[key] for key in keys]


def _read(
    pack: "Pack", samples: Sequence["Sample"], device: str, threads: int | None, lines: _Remembered
) -> "Readings":
    """Confidences, and whether the words are right."""
    from wordsight.evaluate import PROTOCOLS
    from wordsight.reader import Reader
    from wordsight.runtime import OnnxRecognizer
    from wordsight.text import Dictionary

    recognizer = OnnxRecognizer(pack, device, threads, mode="adaptive", dictionary=Dictionary.english())
    reader = Reader.of(recognizer, lines=lines)
    words = []
    starts = range(0, len(samples), BATCH)
    for start in progress(starts, len(starts), f"temperature {pack.temperature:.3f}"):
        words += reader.read_crops([sample.image for sample in samples[start : start + BATCH]])
    rule = PROTOCOLS[PROTOCOL]
    right = [rule.label(s.text) == rule.reading(w.text) for s, w in zip(samples, words, strict=True)]
    return [word.confidence for word in words], right


def _errors(temperature: float, readings: "Readings") -> dict[str, float]:
    """Calibration errors in per cent, and the log loss."""
    from wordsight.evaluate import calibration_error
    from wordsight.evaluate.calibration import log_losses

    return {
        "temperature": temperature,
        "ece": round(100 * calibration_error(*readings), 2),
        "adaptive_ece": round(100 * calibration_error(*readings, adaptive=True), 2),
        "log_loss": round(float(log_losses(*readings).mean()), 4),
    }
