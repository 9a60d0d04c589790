"""`wordsight read`."""

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import typer

from wordsight.cli import options
from wordsight.cli.app import app
from wordsight.cli.inputs import BoxFile, Input, expand, with_pages
from wordsight.cli.options import chosen_dictionary, refuse, say, word_list
from wordsight.cli.output import KeptLines, can_wait, document_of, free, opened, put, remarks
from wordsight.cli.progress import progress
from wordsight.errors import ConfigError, ImageError, WordsightError, WorkerError
from wordsight.export import FORMATS, format_of

if TYPE_CHECKING:
    from wordsight.reader import Reader
    from wordsight.results import Photo
    from wordsight.spec import ReaderSpec

Result: TypeAlias = "Photo | WordsightError"


def _known_format(name: str | None) -> str | None:
    if name is not None and name not in FORMATS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(FORMATS)}")
    return name


@app.command()
def read(
    paths: list[str] = typer.Argument(
        metavar="PATH...", help="Read these files, folders and globs; - is standard input."
    ),
    crops: bool = typer.Option(False, "--crops", help="Treat every picture as one word or line, without detection."),
    boxes: Path | None = typer.Option(
        None, metavar="FILE", help="Read these boxes (JSON, CSV or ICDAR text) instead of detecting text."
    ),
    output_format: str | None = typer.Option(
        None,
        "--format",
        metavar=f"[{'|'.join(FORMATS)}]",
        callback=_known_format,
        help="Write in this format. Default: the one that the ending of --out says, or text.",
    ),
    no_chars: bool = typer.Option(
        False, "--no-chars", help="Omit the characters of words from JSON: a tenth of the size."
    ),
    out: Path | None = typer.Option(
        None, "--out", "-o", metavar="FILE", help="Write to this file, not to standard output."
    ),
    draw: Path | None = typer.Option(
        None, metavar="DIR", help="Also write the pictures, with outlines, texts and confidences drawn, to this folder."
    ),
    side_by_side: bool = typer.Option(
        False, "--side-by-side", help="Draw the texts in a second picture, to the right of the first."
    ),
    pages: str | None = typer.Option(
        None, metavar="PAGES", help="Read these pages of files that have several: 3, 2-5, 7- or 1,4-6. Default: all."
    ),
    dpi: int = typer.Option(200, min=1, max=2400, help="Render PDF pages at this resolution, in pixels per inch."),
    model: options.ModelName = options.DEFAULT_MODEL,
    min_confidence: options.MinConfidence = None,
    batch_size: options.BatchSize = 32,
    threads: options.Threads = None,
    workers: int = typer.Option(
        1, min=1, help="Read in this many processes, each with one thread unless --threads is given."
    ),
    device: options.DeviceName = "auto",
    detector: str = typer.Option("lines", help="Find text with this detector: lines, ppocr, or the folder of a pack."),
    max_side: int | None = typer.Option(
        None,
        min=32,
        metavar="PIXELS",
        help="Detect text in photos reduced to this long side, in pixels; smaller is faster.",
    ),
    mode: options.DecodingMode = "adaptive",
    tta: bool = typer.Option(
        False,
        "--tta",
        help="Test-time augmentation: read doubtful crops and given boxes from four more angles, in up to twice "
        "the time.",
    ),
    thorough: bool = typer.Option(False, "--thorough", hidden=True),
    context: bool | None = typer.Option(
        None,
        "--context/--no-context",
        help="Condition the model on the whole photo. Default: on, for models that can (CLIPTER).",
    ),
    allow: options.Allow = None,
    pattern: options.Pattern = None,
    lexicon: options.Lexicon = None,
    dictionary: options.DictionaryFile = None,
    no_dictionary: options.NoDictionary = False,
    max_pixels: options.MaxPixels = 100_000_000,
) -> None:
    """Read the words in photos, or in crops.

    Exit status: 0 everything was read; 1 something could not be read, but the rest was; 2 invalid usage.
    """
    warnings.filterwarnings("ignore", module="PIL")  # on damaged files; what matters comes as an error, in one line
    from wordsight.spec import ReaderSpec

    if thorough:
        refuse("--thorough is now --tta")
    if crops and boxes:
        refuse("--crops and --boxes exclude each other: boxes are places in photos")
    if crops and context:
        refuse("--crops and --context exclude each other: the photo that a crop comes from is not known")
    if crops and workers > 1:
        refuse("--crops and --workers exclude each other: crops are read in batches, by all threads")
    if pages and (crops or boxes):
        refuse("--pages cannot be combined with --crops or --boxes: these are for files of one picture")
    if side_by_side and not draw:
        refuse("--side-by-side needs --draw: add --draw DIR")
    asked = output_format
    try:
        output_format = asked or (format_of(out) if out and not out.is_dir() else None) or "text"
    except ConfigError as error:
        refuse(f"--out {error}, or give --format")
    known = chosen_dictionary(dictionary, no_dictionary)
    inputs, problems = expand(paths)
    if not inputs:
        refuse("; ".join(problems))
    if sum(item.is_stdin for item in inputs) > 1:
        refuse("- is named more than once: standard input holds one picture")
    spec = ReaderSpec(
        model,
        device,
        threads or (1 if workers > 1 else None),
        detector,
        max_side,
        max_pixels=max_pixels,
        min_confidence=min_confidence,
        batch_size=batch_size,
        mode=mode,
        allow=allow,
        pattern=pattern,
        lexicon=word_list(lexicon) if lexicon else None,
        dictionary=known,
        tta=tta,
    )
    try:
        reader, box_file = spec.reader(), BoxFile(boxes) if boxes else None
    except WordsightError as error:
        refuse(str(error))
    if context and not reader.takes_scenes:
        refuse(f"{model} takes no context: leave out --context, or use a model with CLIPTER")
    shown = reader.takes_scenes and context is not False and not crops
    say(f"reading with {model} on {reader.provider}{', with context' if shown else ''}")

    inputs = [replace(item, data=sys.stdin.buffer.read()) if item.is_stdin else item for item in inputs]

    def results(inputs: Sequence[Input]) -> Iterator[Result]:
        if crops:
            return _crops(reader, inputs, min_confidence or 0.0)
        if workers > 1:
            return _in_processes(partial(_photo_reader, spec.reader, box_file, context, dpi), inputs, workers)
        return map(_photo_reader(lambda: reader, box_file, context, dpi), inputs)

    for problem in problems:
        say(problem)
    failed = bool(problems)
    if not (crops or boxes):
        try:
            inputs = list(with_pages(inputs, pages))
        except ConfigError as error:
            refuse(f"--pages: {error}")
    document = document_of(output_format, crops=crops, named=len(inputs) > 1, chars=not no_chars)
    apart = document.single and (len(inputs) > 1 or (out is not None and out.is_dir()))
    taken: set[Path] = set()
    if apart:
        if out is None or not asked:
            cure = "give --out FOLDER" if asked else f"give --out FOLDER and --format {output_format}"
            refuse(f"--format {output_format} writes one document for each picture: {cure}")
        inputs = [replace(item, document=free(out / item.place, taken, FORMATS[output_format])) for item in inputs]
    if draw:
        inputs = [replace(item, place=free(draw / item.place, taken, ".words.jpg")) for item in inputs]

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
                failed |= not put(item.place, "--draw", partial(_draw, result, item, side_by_side))
            write(item, result)
            for problem in result.problems:
                say(f"{item.name}: {problem}")
                failed = True
            for remark in remarks(result):
                say(f"{item.name}: {remark}")

    def write_apart(item: Input, photo: "Photo") -> None:
        nonlocal failed
        assert item.document is not None  # noqa: S101  (for the type checker)
        failed |= not put(item.document, "--out", partial(photo.save, item.document, item.source))

    try:
        if apart:
            read_photos(inputs, write_apart)
        elif output_format == "jsonl" and out and can_wait(out):
            with KeptLines(out, _command(spec, boxes, [context, crops, dpi, no_chars])) as kept:
                todo = [item for item in inputs if item.is_stdin or not kept.take(item.name)]
                if len(todo) < len(inputs):
                    say(f"{len(inputs) - len(todo)} of {len(inputs)} pictures had been read before")
                for problem in kept.problems:
                    say(problem)
                    failed = True
                read_photos(todo, lambda item, photo: kept.add(item.name, document.item(photo, 1, None)))
                kept.finish(item.name for item in inputs)
        else:
            with opened(out) as write:
                numbers = count(1)

                def write_photo(item: Input, photo: "Photo") -> None:
                    number = next(numbers)
                    write((document.separator if number > 1 else "") + document.item(photo, number, item.source))

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


def _command(spec: "ReaderSpec", boxes: Path | None, how: list[bool | int | None]) -> str:
    """A hash of all that decides what is read in a picture, and how it is written."""
    drawn = hashlib.sha256(boxes.read_bytes()).hexdigest() if boxes else None
    decides = [spec.configuration(), drawn, *how]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _photo_reader(
    make: "Callable[[], Reader]", boxes: BoxFile | None, context: bool | None, dpi: int
) -> Callable[[Input], Result]:
    """What reads photos, in this process or another, with a reader that is made there."""
    reader = make()

    def read(item: Input) -> Result:
        try:
            given = boxes.of(item) if boxes else None
            return reader.read(item.source, given, name=item.name, context=context, page=item.page, dpi=dpi)
        except WordsightError as error:
            return error

    return read


def _in_processes(
    make: Callable[[], Callable[[Input], Result]], inputs: Sequence[Input], workers: int
) -> Iterator[Result]:
    from wordsight.parallel import Pool

    with Pool(make, min(workers, len(inputs))) as pool:
        for item, result in pool.in_order(inputs):
            yield ImageError(f"{item.name}: {result}") if isinstance(result, WorkerError) else result


def _crops(reader: "Reader", inputs: Sequence[Input], min_confidence: float) -> Iterator[Result]:
    """Crops as photos with one word, so that every format can hold them."""
    from wordsight.results import Line, Photo, bounds

    results = reader.iter_crops(item.source for item in inputs)
    for item, word in zip(inputs, results, strict=True):
        if isinstance(word, WordsightError):
            yield type(word)(str(word).replace("<bytes>", item.name)) if item.is_stdin else word
            continue
        _, _, width, height = bounds(word.polygon)
        size = round(width), round(height)
        if word.confidence >= min_confidence:
            yield Photo(item.name, *size, (Line((word,), word.polygon),))
        else:
            yield Photo(item.name, *size, (), rejected=(replace(word, rejected=True),))


def _draw(photo: "Photo", item: Input, side_by_side: bool) -> None:
    photo.draw(item.source, beside=side_by_side).save(item.place, quality=90)
