"""The file formats of results: text, JSON, JSON lines, CSV, TSV and hOCR. Described in docs/results.md."""

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

from wordsight import __version__
from wordsight.results import Line, Photo, Polygon, bounds

COLUMNS = ("source", "line", "word", "text", "confidence", "left", "top", "right", "bottom", "polygon")
"""Of the tables. Lines and words count from 1; the box is whole pixels; the polygon is `x,y x,y ...`."""


@dataclass(frozen=True)
class Format:
    """How a document is put together: head, one item per photo with the separator between them, tail.

    `item(photo, number)` gets the running number of the photo, from 1.
    """

    item: Callable[[Photo, int], str]
    head: str = ""
    separator: str = ""
    tail: str = ""

    def document(self, photos: Iterable[Photo]) -> str:
        """The whole document."""
        items = (self.item(photo, number) for number, photo in enumerate(photos, 1))
        return self.head + self.separator.join(items) + self.tail


# ---- tables


def _rows(photo: Photo) -> Iterable[list[str]]:
    for i, line in enumerate(photo.lines, 1):
        for j, word in enumerate(line.words, 1):
            polygon = " ".join(f"{x:.1f},{y:.1f}" for x, y in word.polygon)
            box = map(str, _pixels(word.polygon, photo))
            yield [photo.source, str(i), str(j), word.text, f"{word.confidence:.4f}", *box, polygon]


def _csv_line(fields: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(fields)  # so that either of them is quoted in a field
    return out.getvalue()[:-2] + "\n"


def _inert(text: str) -> str:
    """`text` with an apostrophe before it if a spreadsheet would take it for a formula (or for such an apostrophe).

    A sign that says =SUM(A1) or -20% must not be computed when the table is opened (OWASP, 'CSV injection').
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "'") and text else text


def _csv(photo: Photo, _number: int) -> str:
    return "".join(_csv_line([_inert(source), i, j, _inert(text), *rest]) for source, i, j, text, *rest in _rows(photo))


def _tsv(photo: Photo, _number: int) -> str:
    # No quotes, so that cut and awk work; a field with a tab or a line break in it (a strange file name) gets spaces.
    return "".join(
        "\t".join(" ".join(field.splitlines()).replace("\t", " ") for field in row) + "\n" for row in _rows(photo)
    )


# ---- hOCR (specification 1.2, https://kba.github.io/hocr-spec/1.2/)

_HOCR_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
<head>
<title>wordsight</title>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<meta name="ocr-system" content="wordsight {__version__}"/>
<meta name="ocr-capabilities" content="ocr_page ocr_line ocrx_word"/>
</head>
<body>
"""


def _hocr(photo: Photo, number: int) -> str:
    # In hOCR a string inside a property is quoted, with backslashes before quotes and backslashes.
    image = '"' + photo.source.replace("\\", "\\\\").replace('"', '\\"') + '"'
    page = f"image {image}; bbox 0 0 {photo.width} {photo.height}; ppageno {number - 1}"
    out = [f'<div class="ocr_page" id="page_{number}" title="{_attribute(page)}">\n']
    for i, line in enumerate(photo.lines, 1):
        out.append(f'<span class="ocr_line" id="line_{number}_{i}" title="{_line_properties(line, photo)}">')
        words = []
        for j, word in enumerate(line.words, 1):
            title = f"{_bbox(word.polygon, photo)}; x_wconf {round(100 * word.confidence)}"
            identity = f"word_{number}_{i}_{j}"
            words.append(f'<span class="ocrx_word" id="{identity}" title="{title}">{_content(word.text)}</span>')
        out.append(" ".join(words) + "</span>\n")
    return "".join(out) + "</div>\n"


def _line_properties(line: Line, photo: Photo) -> str:
    """The box, and where the text runs: `baseline` (slope, offset) if it is near level, else `textangle`."""
    points = line.polygon
    (x0, y0), (x1, y1) = points[-1], points[len(points) // 2]  # the lower left and lower right of the text
    box = _bbox(points, photo)
    left, _, _, bottom = _pixels(points, photo)
    angle = math.degrees(math.atan2(y0 - y1, x1 - x0))  # counter-clockwise, as hOCR wants it
    if abs(angle) > 45:
        return f"{box}; textangle {angle:.1f}"
    slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
    return f"{box}; baseline {slope:.3f} {y0 + slope * (left - x0) - bottom:.1f}"


def _bbox(polygon: Polygon, photo: Photo) -> str:
    return "bbox " + " ".join(map(str, _pixels(polygon, photo)))


def _attribute(text: str) -> str:
    return escape(_printable(text), quote=True)


def _content(text: str) -> str:
    return escape(_printable(text), quote=False)


def _printable(text: str) -> str:
    """Without the characters that XML 1.0 forbids (a file name may hold any)."""
    return "".join(
        c if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c not in "\ufffe\uffff" else "\ufffd" for c in text
    )


def _pixels(polygon: Polygon, photo: Photo) -> tuple[int, int, int, int]:
    """Whole pixels around the polygon, inside the picture."""
    left, top, right, bottom = bounds(polygon)

    def within(value: int, limit: int) -> int:
        return max(0, min(value, limit))

    return (
        within(math.floor(left), photo.width),
        within(math.floor(top), photo.height),
        within(math.ceil(right), photo.width),
        within(math.ceil(bottom), photo.height),
    )


def _text(photo: Photo, _number: int) -> str:
    return photo.text + "\n" if photo.lines else ""


FORMATS: dict[str, Format] = {
    "text": Format(_text),
    "json": Format(lambda photo, _: photo.to_json(), head="[\n", separator=",\n", tail="\n]\n"),
    "jsonl": Format(lambda photo, _: photo.to_json() + "\n"),
    "csv": Format(_csv, head=_csv_line(COLUMNS)),
    "tsv": Format(_tsv, head="\t".join(COLUMNS) + "\n"),
    "hocr": Format(_hocr, head=_HOCR_HEAD, tail="</body>\n</html>\n"),
}
