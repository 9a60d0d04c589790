"""`wordsight read`."""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import typer

from wordsight.cli.app import app
from wordsight.cli.boxes import BoxFile
from wordsight.cli.inputs import Input, expand
from wordsight.cli.options import Device, Mode
from wordsight.cli.output import opened
from wordsight.cli.progress import progress
from wordsight.errors import WordsightError

if TYPE_CHECKING:
    from wordsight.formats import Format
    from wordsight.reader import Reader
    from wordsight.results import Photo

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
    model: Annotated[str, typer.Option(help="A shipped model, or the folder of a pack.")] = "latin",
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Leave out words below it; by default 0.3 for detected words, 0 for others."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Crops that are recognized together.")] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the processor; by default all.")] = None,
    device: Annotated[Device, typer.Option(help="What the recognizer runs on.")] = Device.auto,
    mode: Annotated[
        Mode,
        typer.Option(
            help="adaptive (spell check where in doubt), full (everywhere, as in the paper), visual (nowhere) or "
            "parallel (one pass, then refined)."
        ),
    ] = Mode.adaptive,
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
    allow: Annotated[str | None, typer.Option(metavar="CHARACTERS", help="Read nothing but these characters.")] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Read nothing but words that match as a whole.")
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read nothing but the words of this list, one a line.")
    ] = None,
    dictionary: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|LANGUAGES",
            help="Words that are likelier than others, in place of English ones: a file with one a line, or languages "
            "(de, or de,fr; needs the extra 'languages').",
        ),
    ] = None,
    no_dictionary: Annotated[
        bool, typer.Option("--no-dictionary", help="Read doubtful letters as they look, words or not.")
    ] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger pictures.")] = 100_000_000,
) -> None:
    """Read the words in photos, or in crops.

    Exit status: 0 everything was read; 1 something was not, but the rest; 2 the command makes no sense as given.
    """
    warnings.filterwarnings("ignore", module="PIL")  # on damaged files; what matters comes as an error, in one line
    if crops and boxes:
        _refuse("--crops and --boxes exclude each other: boxes are places in photos")
    if crops and context:
        _refuse("--crops and --context exclude each other: crops do not say which photo they come from")
    if dictionary and no_dictionary:
        _refuse("--dictionary and --no-dictionary exclude each other")
    inputs, problems = expand(paths)
    if not inputs:
        _refuse("; ".join(problems))
    if sum(item.is_stdin for item in inputs) > 1:
        _refuse("- is named more than once: standard input holds one picture")
    reader, box_file = _start(
        boxes,
        model,
        device.value,
        threads,
        max_pixels=max_pixels,
        min_confidence=min_confidence,
        batch_size=batch_size,
        mode=mode.value,
        allow=allow,
        pattern=pattern,
        lexicon=lexicon and _lines(lexicon),
        dictionary=None if no_dictionary else _dictionary(dictionary or "english"),
        thorough=thorough,
    )
    if context and not reader.takes_scenes:
        _refuse(f"{model} reads without context: leave out --context, or take a model with CLIPTER")
    _say(f"reading with {model} on {reader.provider}{', with context' if _hears(reader, context, crops) else ''}")

    stdin = sys.stdin.buffer.read() if any(item.is_stdin for item in inputs) else b""

    def source(item: Input) -> str | bytes:
        return stdin if item.is_stdin else item.path

    if crops:
        results = _crops(reader, inputs, source, min_confidence or 0.0)
    else:
        results = (_photo(reader, item, source(item), box_file, context) for item in inputs)
    watched: Iterable[tuple[Input, Result]] = zip(inputs, results, strict=True)
    if len(inputs) > 1 and (out or not sys.stdout.isatty()):  # on a terminal the results show the progress
        watched = progress(watched, len(inputs), "Reading")

    for problem in problems:
        _say(problem)
    failed = bool(problems)
    document = _document(output_format, crops=crops, named=len(inputs) > 1)
    places: set[Path] = set()
    try:
        with opened(out) as write:
            write(document.head)
            number = 0
            for item, result in watched:
                if isinstance(result, WordsightError):
                    _say(str(result))
                    failed = True
                    continue
                number += 1
                write((document.separator if number > 1 else "") + document.item(result, number))
                for problem in result.problems:
                    _say(f"{item.name}: {problem}")
                    failed = True
                if draw:
                    failed |= not _draw(result, source(item), _free(draw / item.place, places))
            write(document.tail)
    except BrokenPipeError:
        raise
    except OSError as error:
        _say(f"{out or 'standard output'} cannot be written ({error.strerror}): check the disk and --out")
        failed = True
    if failed:
        raise typer.Exit(1)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        _refuse(f"{path} cannot be read as a list of words ({error}): give a text file in UTF-8")


def _dictionary(given: str) -> str | list[str]:
    """Languages, or the words of a file."""
    languages = all(part.strip().isalpha() for part in given.split(","))
    return given if languages and not Path(given).is_file() else _lines(Path(given))


def _start(boxes: Path | None, *args: Any, **options: Any) -> tuple["Reader", BoxFile | None]:
    """The reader with these options, and the boxes. Ends the command where either cannot be had."""
    from wordsight.reader import Reader

    try:
        return Reader(*args, **options), BoxFile(boxes) if boxes else None
    except WordsightError as error:
        _refuse(str(error))


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
        return Format(lambda photo, _: f"{_printable(photo.source)}\t{photo.text}\n" if named else f"{photo.text}\n")
    head = "==> {} <==\n".format
    return Format(lambda photo, _: head(_printable(photo.source)) + FORMATS["text"].item(photo, 1), separator="\n")


def _draw(photo: "Photo", source: str | bytes, path: Path) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.draw(source).save(path, quality=90)
    except (WordsightError, OSError) as error:
        _say(f"{path} cannot be written ({error}): check --draw")
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


def _printable(name: str) -> str:
    """A file name in one line, whatever characters it has."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _say(message: str) -> None:
    typer.echo(f"wordsight: {_printable(message)}", err=True)


def _refuse(message: str) -> NoReturn:
    _say(message)
    raise typer.Exit(2)
