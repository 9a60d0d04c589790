"""`wordsight read`."""

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from wordsight.cli.app import app
from wordsight.cli.boxes import BoxFile
from wordsight.cli.inputs import Input, expand
from wordsight.cli.options import (
    DEFAULT_MODEL,
    Allow,
    DecodingMode,
    Device,
    DictionaryFile,
    Lexicon,
    MaxPixels,
    MinConfidence,
    Mode,
    ModelName,
    NoDictionary,
    Pattern,
    chosen_dictionary,
    refuse,
    say,
    word_list,
)
from wordsight.cli.output import KeptLines, can_wait, opened
from wordsight.cli.progress import progress
from wordsight.errors import ConfigError, ImageError, WordsightError, WorkerError, printable

if TYPE_CHECKING:
    from wordsight.formats import Format
    from wordsight.reader import Reader
    from wordsight.results import Photo
    from wordsight.spec import ReaderSpec

Result: TypeAlias = "Photo | WordsightError"


class OutputFormat(StrEnum):
    """How results are written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    hocr = "hocr"


@app.command()
def read(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs, or - for standard input.")
    ],
    crops: Annotated[
        bool, typer.Option("--crops", help="Every picture shows one word or line: detect nothing.")
    ] = False,
    boxes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read these boxes (JSON, CSV or ICDAR text): detect nothing.")
    ] = None,
    output_format: Annotated[OutputFormat, typer.Option("--format", help="Of the output.")] = OutputFormat.text,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there, not to standard output.")] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also draw boxes, texts and confidences over the pictures.")
    ] = None,
    model: ModelName = DEFAULT_MODEL,
    min_confidence: MinConfidence = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Crops that are recognized together.")] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the processor; by default all.")] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that read photos, each with one thread unless told otherwise.")
    ] = 1,
    device: Annotated[Device, typer.Option(help="What recognizer and detector run on.")] = Device.auto,
    detector: Annotated[
        str, typer.Option(help="What finds text: ppocr, or the folder of a detector's pack.")
    ] = "ppocr",
    max_side: Annotated[
        int | None,
        typer.Option(min=32, metavar="PIXELS", help="Look for text in photos reduced to this long side: quicker."),
    ] = None,
    mode: DecodingMode = Mode.adaptive,
    thorough: Annotated[
        bool | None,
        typer.Option(
            "--thorough/--no-thorough",
            help="Read crops and given boxes in doubt from four more angles: up to twice as long. By default as the "
            "model says.",
        ),
    ] = None,
    context: Annotated[
        bool | None,
        typer.Option(
            "--context/--no-context",
            help="Tell the model of the whole photo with every word. By default if it can be told (CLIPTER).",
        ),
    ] = None,
    allow: Allow = None,
    pattern: Pattern = None,
    lexicon: Lexicon = None,
    dictionary: DictionaryFile = None,
    no_dictionary: NoDictionary = False,
    max_pixels: MaxPixels = 100_000_000,
) -> None:
    """Read the words in photos, or in crops.

    Exit status: 0 everything was read; 1 something was not, but the rest; 2 the command makes no sense as given.
    """
    warnings.filterwarnings("ignore", module="PIL")  # on damaged files; what matters comes as an error, in one line
    from wordsight.spec import ReaderSpec

    if crops and boxes:
        refuse("--crops and --boxes exclude each other: boxes are places in photos")
    if crops and context:
        refuse("--crops and --context exclude each other: crops do not say which photo they come from")
    if crops and workers > 1:
        refuse("--crops and --workers exclude each other: crops are read in batches, by all threads")
    known = chosen_dictionary(dictionary, no_dictionary)
    inputs, problems = expand(paths)
    if not inputs:
        refuse("; ".join(problems))
    if sum(item.is_stdin for item in inputs) > 1:
        refuse("- is named more than once: standard input holds one picture")
    spec = ReaderSpec(
        model,
        device.value,
        threads or (1 if workers > 1 else None),
        detector,
        max_side,
        max_pixels=max_pixels,
        min_confidence=min_confidence,
        batch_size=batch_size,
        mode=mode.value,
        allow=allow,
        pattern=pattern,
        lexicon=word_list(lexicon) if lexicon else None,
        dictionary=known,
        thorough=thorough,
    )
    reader, box_file = _start(spec, boxes)
    if context and not reader.takes_scenes:
        refuse(f"{model} reads without context: leave out --context, or take a model with CLIPTER")
    say(f"reading with {model} on {reader.provider}{', with context' if _hears(reader, context, crops) else ''}")

    stdin = sys.stdin.buffer.read() if any(item.is_stdin for item in inputs) else b""

    def source(item: Input) -> str | bytes:
        return stdin if item.is_stdin else item.path

    def results(inputs: Sequence[Input]) -> Iterator[Result]:
        if crops:
            return _crops(reader, inputs, source, min_confidence or 0.0)
        if workers > 1:
            return _in_processes(partial(_photo_reader, spec, boxes, stdin, context), inputs, workers)
        return (_photo(reader, item, source(item), box_file, context) for item in inputs)

    for problem in problems:
        say(problem)
    failed = bool(problems)
    if draw:
        taken: set[Path] = set()
        inputs = [replace(item, place=_free(draw / item.place, taken)) for item in inputs]

    def read_photos(todo: Sequence[Input], write: Callable[[Input, "Photo"], None]) -> None:
        nonlocal failed
        watched: Iterable[tuple[Input, Result]] = zip(todo, results(todo), strict=True)
        if len(inputs) > 1 and (out or not sys.stdout.isatty()):  # on a terminal the results show the progress
            watched = progress(watched, len(todo), "Reading")
        for item, result in watched:
            if isinstance(result, WordsightError):
                say(str(result))
                failed = True
                continue
            if draw:
                failed |= not _draw(result, source(item), item.place)
            write(item, result)
            for problem in result.problems:
                say(f"{item.name}: {problem}")
                failed = True

    document = _document(output_format, crops=crops, named=len(inputs) > 1)
    try:
        if output_format is OutputFormat.jsonl and out and can_wait(out):
            with KeptLines(out, _command(spec, boxes, context, crops)) as kept:
                todo = [item for item in inputs if item.is_stdin or not kept.take(item.name)]
                if len(todo) < len(inputs):
                    say(f"{len(inputs) - len(todo)} of {len(inputs)} pictures were read before")
                for problem in kept.problems:
                    say(problem)
                    failed = True
                read_photos(todo, lambda item, photo: kept.add(item.name, document.item(photo, 1)))
                kept.finish(item.name for item in inputs)
        else:
            with opened(out) as write:
                numbers = count(1)

                def write_photo(_: Input, photo: "Photo") -> None:
                    number = next(numbers)
                    write((document.separator if number > 1 else "") + document.item(photo, number))

                write(document.head)
                read_photos(inputs, write_photo)
                write(document.tail)
    except ConfigError as error:
        refuse(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        say(f"{out or 'standard output'} cannot be written ({error.strerror}): check the disk and --out")
        failed = True
    if failed:
        raise typer.Exit(1)


def _start(spec: "ReaderSpec", boxes: Path | None) -> tuple["Reader", BoxFile | None]:
    """The reader, and the boxes. Ends the command where either cannot be had."""
    try:
        return spec.reader(), BoxFile(boxes) if boxes else None
    except WordsightError as error:
        refuse(str(error))


def _command(spec: "ReaderSpec", boxes: Path | None, context: bool | None, crops: bool) -> str:
    """A hash of all that decides what is read in a picture."""
    drawn = hashlib.sha256(boxes.read_bytes()).hexdigest() if boxes else None
    decides = [spec.configuration(), drawn, context, crops]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _photo_reader(
    spec: "ReaderSpec", boxes: Path | None, stdin: bytes, context: bool | None
) -> Callable[[Input], Result]:
    """What each of several processes does."""
    reader, box_file = spec.reader(), BoxFile(boxes) if boxes else None
    return lambda item: _photo(reader, item, stdin if item.is_stdin else item.path, box_file, context)


def _in_processes(
    make: Callable[[], Callable[[Input], Result]], inputs: Sequence[Input], workers: int
) -> Iterator[Result]:
    from wordsight.parallel import Pool

    with Pool(make, min(workers, len(inputs))) as pool:
        for item, result in pool.in_order(inputs):
            yield ImageError(f"{item.name}: {result}") if isinstance(result, WorkerError) else result


def _hears(reader: "Reader", context: bool | None, crops: bool) -> bool:
    return reader.takes_scenes and context is not False and not crops


def _photo(reader: "Reader", item: Input, source: str | bytes, boxes: BoxFile | None, context: bool | None) -> Result:
    try:
        return reader.read(source, boxes.of(item) if boxes else None, name=item.name, context=context)
    except WordsightError as error:
        return error


def _crops(
    reader: "Reader", inputs: Sequence[Input], source: Callable[[Input], str | bytes], min_confidence: float
) -> Iterator[Result]:
    """Crops as photos with one word, so that every format can hold them."""
    from wordsight.results import Line, Photo, bounds

    results = reader.iter_crops(source(item) for item in inputs)
    for item, word in zip(inputs, results, strict=True):
        if isinstance(word, WordsightError):
            yield type(word)(str(word).replace("<bytes>", item.name)) if item.is_stdin else word
            continue
        _, _, width, height = bounds(word.polygon)
        lines = (Line((word,), word.polygon),) if word.confidence >= min_confidence else ()
        yield Photo(item.name, round(width), round(height), lines)


def _document(output_format: OutputFormat, *, crops: bool, named: bool) -> "Format":
    """The format; as text, several crops are written as `name TAB text` and several photos under their names."""
    from wordsight.formats import FORMATS, Format

    if output_format is not OutputFormat.text or not (crops or named):
        return FORMATS[output_format.value]
    if crops:
        return Format(lambda photo, _: f"{printable(photo.source)}\t{photo.text}\n" if named else f"{photo.text}\n")
    head = "==> {} <==\n".format
    return Format(lambda photo, _: head(printable(photo.source)) + FORMATS["text"].item(photo, 1), separator="\n")


def _draw(photo: "Photo", source: str | bytes, path: Path) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.draw(source).save(path, quality=90)
    except (WordsightError, OSError) as error:
        say(f"{path} cannot be written ({error}): check --draw")
        return False
    return True


def _free(path: Path, taken: set[Path]) -> Path:
    """A name for the drawing of a picture that would stand at `path`: never the picture's own, none twice."""
    number, name = 1, path.with_name(f"{path.stem}.words.jpg")
    while name in taken:
        number += 1
        name = path.with_name(f"{path.stem}.words-{number}.jpg")
    taken.add(name)
    return name
