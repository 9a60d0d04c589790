"""The user's own boxes, from JSON, tables or the text files of the ICDAR competitions, told apart by their content."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BoxError
from wordsight.imaging.geometry import clockwise

Polygon = NDArray[np.float64]
Boxes = dict[str | None, list[Polygon]]
"""Polygons (N, 2) float64, N at least 4, by the image that the file names; None: it names no image."""
_Named = tuple[str | None, list[Polygon]]

# Possessive throughout (++): what has matched is never tried in another way, so that a line costs what its length says.
_NUMBER = r"(?:[-+]?+(?:(?:\d++\.?+\d*+|\.\d++)(?:[eE][-+]?+\d++)?+|nan|inf))"
_SEPARATOR = r"(?:\s++(?:[,;]\s*+)?+|[,;]\s*+)"
# ICDAR: eight numbers of a quad, or four of an upright box, and then anything, which is the text
_ROW = re.compile(
    rf"\s*+({_NUMBER}(?:{_SEPARATOR}{_NUMBER}){{7}}|{_NUMBER}(?:{_SEPARATOR}{_NUMBER}){{3}})(?=[,;\s]|$)",
    re.IGNORECASE,
)
_IMAGE_KEYS = ("image", "source", "file", "filename", "path")
_POLYGON_KEYS = ("polygon", "points", "quad", "box")
_GROUP_KEYS = ("words", "lines", "boxes")
_CURE = "give 'x1,y1,x2,y2,x3,y3,x4,y4' or 'left,top,right,bottom' in pixels"


class _Malformed(Exception):
    """What is wrong with one entry; where it is, is known further out."""


def read_boxes(path: str | Path) -> Boxes:
    """Reads a file of boxes. Texts beside them (`###` included) are skipped; so are blank lines.

    - ICDAR text files and tables without a head: a line for a box, eight numbers (a quad) or four (left, top, right,
      bottom), separated by commas, semicolons, tabs or spaces, before them the image's name if there is one, behind
      them anything.
    - Tables with a head (CSV with commas or semicolons, TSV), such as `wordsight read` writes: a column `polygon`
      (`x,y x,y ...`), or `x1`, `y1`, `x2`, ... , or `left`, `top`, `right`, `bottom`; the image in `image` or `source`.
    - JSON: a list of boxes, an object of such lists by image, or the results of `wordsight read`; JSON lines such as
      `scenes.jsonl`. An empty list says that an image has no boxes. A box is [[x, y], ...], [x1, y1, x2, y2, ...],
      [left, top, right, bottom], or an object that has one of these as its `polygon` or `points`. An object with
      `words` holds boxes of its `image`.

    Points are kept in their order, begun at the text's top left, but turned round if they run counter-clockwise.
    Whether a polygon encloses anything, and inside the picture, is left to `rectify`: one bad box is its own error.

    Raises:
        BoxError: the file cannot be read, or an entry is no box; one line that names the file, the line and the cure.
    """
    name = str(path)
    try:
        text = _decode(Path(path).read_bytes())
    except FileNotFoundError:
        raise BoxError(f"{name} does not exist: check the path of the boxes") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise BoxError(f"{name} cannot be read ({reason}): give a file of boxes") from None
    if not text.strip():
        return {}
    boxes: Boxes = {}
    for image, polygons in _from_json(text, name) if text.lstrip()[0] in "[{" else _from_table(text, name):
        boxes.setdefault(image, []).extend(clockwise(polygon) for polygon in polygons)
    return boxes


def _decode(data: bytes) -> str:
    """Text in UTF-8 or UTF-16 with a mark. Wrong bytes are in texts, which are skipped, so they do no harm."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


# ---- JSON


def _from_json(text: str, name: str) -> Iterator[_Named]:
    try:
        documents = [(1, json.loads(text))]
    except (ValueError, RecursionError) as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        try:
            documents = [(number, json.loads(line)) for number, line in lines]
        except (ValueError, RecursionError):
            where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise BoxError(f"{name}{where}: not valid JSON: give [[x, y], ...] for each box") from None
    for number, document in documents:
        where = f", line {number}" if len(documents) > 1 else ""
        try:
            yield from _in_document(document)
        except _Malformed as error:
            raise BoxError(f"{name}{where}: {error}") from None
        except RecursionError:
            raise BoxError(f"{name}{where}: nested too deeply: give [[x, y], ...] for each box") from None


def _in_document(document: Any) -> Iterator[_Named]:
    if isinstance(document, list) and document and all(isinstance(entry, dict) for entry in document):
        for entry in document:  # of several photos, or boxes with something beside them
            yield from _in_document(entry)
    elif isinstance(document, list):
        yield None, list(_in_list(document))
    elif isinstance(document, dict) and not any(key in document for key in (*_GROUP_KEYS, *_POLYGON_KEYS)):
        for image, entries in document.items():
            yield image, list(_in_list(entries))
    elif isinstance(document, dict):
        image = next((str(document[key]) for key in _IMAGE_KEYS if document.get(key)), None)
        yield image, list(_in_list([document]))
    else:
        raise _Malformed(f"{_short(document)} is not a box: give [[x, y], ...] for each")


def _in_list(entries: Any) -> Iterator[Polygon]:
    if not isinstance(entries, list):
        raise _Malformed(f"{_short(entries)} is not a list of boxes: give [[[x, y], ...], ...]")
    for entry in entries:
        group = next((entry[key] for key in _GROUP_KEYS if key in entry), None) if isinstance(entry, dict) else None
        if group is not None:
            yield from _in_list(group)
        else:
            yield _polygon(entry)


def _polygon(entry: Any) -> Polygon:
    if isinstance(entry, dict):
        points = next((entry[key] for key in _POLYGON_KEYS if key in entry), None)
        if points is None:
            raise _Malformed(f'{_short(entry)} has no polygon: add "polygon": [[x, y], ...]')
    else:
        points = entry
    try:
        numbers = np.array(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _Malformed(f"{_short(points)} is not a box: give [[x, y], ...] in pixels") from None
    if numbers.ndim not in (1, 2) or (numbers.ndim == 2 and numbers.shape[1] != 2):
        raise _Malformed(f"{_short(points)} is not a box: give [[x, y], ...] in pixels")
    return _from_numbers(numbers.ravel().tolist())


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


# ---- tables


def _from_table(text: str, name: str) -> Iterator[_Named]:
    lines = text.splitlines()
    first = next(line for line in lines if line.strip())
    try:
        if _ROW.match(first) or _named(first):
            yield from _without_head(lines)
        else:
            yield from _with_head(lines)
    except _TableError as error:
        raise BoxError(f"{name}, line {error.line}: {error}") from None


class _TableError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _named(line: str) -> tuple[str, str] | None:
    """The image's name and the rest of a line that begins with one."""
    match = re.match(r'\s*+(?:"([^"]++)"\s*+|([^,;\t"]++))[,;\t]', line)
    if match is None or not _ROW.match(line, match.end()):
        return None
    return match[1] or match[2].rstrip(), line[match.end() :]


def _without_head(lines: list[str]) -> Iterator[_Named]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        image, rest = None, line
        if not _ROW.match(line):
            named = _named(line)
            if named is None:
                raise _TableError(number, f"{line.strip()[:60]!r} is not a box: {_CURE}")
            image, rest = named
        match = _ROW.match(rest)
        assert match is not None  # noqa: S101 - _named looked
        yield image, [_from_numbers([float(value) for value in re.findall(_NUMBER, match[1], re.IGNORECASE)])]


def _with_head(lines: list[str]) -> Iterator[_Named]:
    start = next(number for number, line in enumerate(lines) if line.strip())
    delimiter = max("\t;,", key=lines[start].count)
    if delimiter == "\t":  # as `wordsight read` writes them
        rows = csv.reader(lines[start:], delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(lines[start:], delimiter=delimiter)
    try:
        head = [field.strip().lower() for field in next(rows)]
    except csv.Error as error:
        raise _TableError(start + 1, f"no table header ({error}): {_CURE}") from None
    columns = _columns(head)
    if columns is None:
        raise _TableError(start + 1, f"{lines[start].strip()[:60]!r} is neither a box nor a table header: {_CURE}")
    image_column = next((head.index(key) for key in _IMAGE_KEYS if key in head), None)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise _TableError(start + rows.line_num, f"no table row ({error}): check its quotes") from None
        if row is None:
            return
        number = start + rows.line_num
        if not any(field.strip() for field in row):
            continue
        try:
            values = [row[column] for column in columns]
            numbers = [float(v) for v in (re.split(r"[,\s]+", values[0].strip()) if len(columns) == 1 else values)]
            polygon = _from_numbers(numbers)
        except IndexError:
            raise _TableError(number, f"{len(row)} columns instead of {len(head)}: check commas and quotes") from None
        except ValueError as error:
            raise _TableError(number, f"{str(error)[:100]}: give numbers in pixels") from None
        except _Malformed as error:
            raise _TableError(number, str(error)) from None
        yield (row[image_column] or None) if image_column is not None else None, [polygon]


def _columns(head: list[str]) -> list[int] | None:
    """Where the coordinates are."""
    place = {name: column for column, name in reversed(list(enumerate(head)))}  # the first of a name
    if "polygon" in place:
        return [place["polygon"]]
    if "x1" in place and "y1" in place:
        count = 1
        while f"x{count + 1}" in place and f"y{count + 1}" in place:
            count += 1
        return [place[f"{axis}{i}"] for i in range(1, count + 1) for axis in "xy"]
    sides = ("left", "top", "right", "bottom")
    return [place[side] for side in sides] if all(side in place for side in sides) else None


def _from_numbers(numbers: list[float]) -> Polygon:
    if len(numbers) == 4:
        left, top, right, bottom = numbers
        numbers = [left, top, right, top, right, bottom, left, bottom]
    if len(numbers) < 8 or len(numbers) % 2:
        raise _Malformed(
            f"{len(numbers)} numbers are not a box: give left, top, right, bottom, or x and y of four or more points"
        )
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)
