"""The table for programs: tabs, and no quotes, so that cut and awk work."""

from wordsight.export.csv import COLUMNS, fields
from wordsight.export.format import Format
from wordsight.imaging import Source
from wordsight.results import Photo


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    # A field with a tab or a line break in it (a strange file name) gets spaces.
    return "".join(
        "\t".join(" ".join(field.splitlines()).replace("\t", " ") for field in row) + "\n" for row in fields(photo)
    )


FORMAT = Format(_item, head="\t".join(COLUMNS) + "\n")
