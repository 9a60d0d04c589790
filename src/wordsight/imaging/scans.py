"""JPEG files that go over their picture again and again."""

import re
from typing import BinaryIO

from wordsight.errors import ImageError

MAX_SCANS = 200
"""Cameras go over a picture once, progressive pictures some ten times. Each time costs by the picture's size and can be
written in a few bytes: 900 kB of them took 36 s."""

_LOOKED_AT = 1 << 28  # bytes; beyond, the file is as long as what it costs
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # but those within a scan


def check_scans(stream: BinaryIO, name: str) -> None:
    """Looks through the file of a JPEG, without decoding it, and leaves it at its start.

    Raises:
        ImageError: its first picture has more than `MAX_SCANS` scans.
    """
    data = stream.read(_LOOKED_AT)
    stream.seek(0)
    place, scans = 2, 0
    while marker := _MARKER.search(data, place):
        if marker[1] == b"\xd9":  # the end: what follows is another picture, or a film
            return
        scans += marker[1] == b"\xda"
        if scans > MAX_SCANS:
            raise ImageError(f"{name} has more than {MAX_SCANS} scans: save it again as PNG or JPEG")
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
