"""A table for spreadsheets."""

import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wordsight.errors import ConfigError
from wordsight.export.format import Format, pixel_box
from wordsight.imaging import Source
from wordsight.results import Photo

if TYPE_CHECKING:
    import pandas

COLUMNS = ("source", "line", "word", "text", "confidence", "left", "top", "right", "bottom", "polygon", "page")
"""Lines and words count from 1; the box is whole pixels; the polygon is `x,y x,y ...`; the page is empty for pictures
that are the only one of their file."""


def rows(photo: Photo) -> Iterable[tuple[str, int, int, str, float, int, int, int, int, str, int | None]]:
    """The words of a photo as rows of the table."""
    for i, line in enumerate(photo.lines, 1):
        for j, word in enumerate(line.words, 1):
            polygon = " ".join(f"{x:.1f},{y:.1f}" for x, y in word.polygon)
            box = pixel_box(word.polygon, photo)
            yield photo.source, i, j, word.text, round(float(word.confidence), 4), *box, polygon, photo.page


def fields(photo: Photo) -> Iterable[list[str]]:
    """The rows as texts, confidences with four decimals."""
    for row in rows(photo):
        yield ["" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value) for value in row]


def data_frame(photo: Photo) -> "pandas.DataFrame":
    """See `Photo.to_df`."""
    try:
        import pandas
    except ModuleNotFoundError:
        raise ConfigError("pandas is not installed: pip install pandas") from None
    types = {"confidence": "float64", "page": "Int64"} | dict.fromkeys(("source", "text", "polygon"), "str")
    types |= dict.fromkeys(("line", "word", "left", "top", "right", "bottom"), "int64")
    return pandas.DataFrame(list(rows(photo)), columns=list(COLUMNS)).astype(types)


def _csv_line(values: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(values)  # so that either of them is quoted in a field
    return out.getvalue()[:-2] + "\n"


def _inert(text: str) -> str:
    """`text` with an apostrophe before it if a spreadsheet would take it for a formula (or for such an apostrophe).

    A sign that says =SUM(A1) or -20% must not be computed when the table is opened (OWASP, 'CSV injection').
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "'") and text else text


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    return "".join(
        _csv_line([_inert(source), i, j, _inert(text), *rest]) for source, i, j, text, *rest in fields(photo)
    )


FORMAT = Format(_item, head=_csv_line(COLUMNS))
