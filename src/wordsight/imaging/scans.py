"""A limit on the number of scans in JPEG files."""

import re
from typing import BinaryIO

from wordsight.errors import ImageError

MAX_SCANS = 200
"""Baseline pictures have one scan, progressive ones some ten. Each takes time in proportion to the picture's size, but
only a few bytes: 900 kB of them took 36 s."""

_CHECKED = 1 << 28  # bytes; in longer files the time is in proportion to the file
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # except those within a scan


def check_scans(stream: BinaryIO, name: str) -> None:
    """Counts the scans of a JPEG file without decoding it, and rewinds it.

    Raises:
        ImageError: its first picture has more than `MAX_SCANS` scans.
    """
    data = stream.read(_CHECKED)
    stream.seek(0)
    place, scans = 2, 0
    while marker := _MARKER.search(data, place):
        if marker[1] == b"\xd9":  # the end: another picture or a video may follow
            return
        scans += marker[1] == b"\xda"
        if scans > MAX_SCANS:
            raise ImageError(f"{name} has more than {MAX_SCANS} scans: save it again as PNG or JPEG")
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
