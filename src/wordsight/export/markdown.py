"""Markdown (CommonMark): a heading for each photo, and its lines."""

import re

from wordsight.export.format import Format, title
from wordsight.imaging import Source
from wordsight.results import Photo

_MARKS = re.compile(r"[\\`*_{}\[\]<>|~&$]")
_AT_BEGINNING = re.compile(r"^(\s*(?:\d+(?=[.)]))?)([#+=:.)-])")


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    lines = "  \n".join(_plain(line.text) for line in photo.lines)  # two spaces break the line
    return f"## {_plain(' '.join(title(photo).split()))}\n\n" + (f"{lines}\n" if lines else "*no text found*\n")


def _plain(text: str) -> str:
    """`text`, meaning nothing but itself."""
    return _AT_BEGINNING.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", text))


FORMAT = Format(_item, separator="\n")
