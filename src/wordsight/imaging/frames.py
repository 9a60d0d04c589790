"""Counting the pictures of a file without decoding them, in a time that is bounded whatever the file holds.

Pillow takes 80 s for 50,000 pages in a TIFF of 6 MB: it parses each, and compares its place to those of all others.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from wordsight.errors import ImageError

MAX_PAGES = 10_000
"""Files of more pictures are refused, except PDFs. Long animations have some thousand."""

_MAX_TAGS = 5_000  # of a page of a TIFF. Some hundred are known; each takes Pillow microseconds
_MAX_BLOCKS = 1_000_000  # of a GIF: 250 MB of full ones, 2 MB of the smallest
_SUBFILE = 254  # TIFF tag: bit 0 means a smaller copy of another page, bit 2 a mask of one
_NO_PAGE = 0b101
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # types of a TIFF


def counted(stream: BinaryIO, head: bytes, name: str) -> list[int] | None:
    """The numbers of those frames of a TIFF or GIF that are pages; None for other files, which say how many they have.

    One that is not there, though the file says so, is the last: loading it raises the reason.

    Args:
        stream: the file, which is rewound.
        head: how it begins.
        name: its name in messages.

    Raises:
        ImageError: it has more than `MAX_PAGES`, or takes too long to look through.
    """
    found: Iterator[bool]
    if head.startswith((b"II", b"MM")):
        found = _of_tiff(stream, name)
    elif head.startswith(b"GIF8"):
        found = _of_gif(stream, name)
    else:
        return None
    frames = list(islice(found, MAX_PAGES + 1))
    stream.seek(0)
    check_count(len(frames), name)
    return [number for number, is_page in enumerate(frames) if is_page] or [0]


def check_count(count: int, name: str) -> None:
    """Raises ImageError if there are more pages than `MAX_PAGES`."""
    if count > MAX_PAGES:
        raise ImageError(f"{name} has more than {MAX_PAGES} pages: split it into several files")


def _of_tiff(stream: BinaryIO, name: str) -> Iterator[bool]:
    """For each picture, whether it is a page."""
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:1] == b"I" else ">"
    big = 43 in head[2:4]
    number, width, offset = ("Q", 20, "Q") if big else ("H", 12, "I")
    places, size = set[int](), struct.calcsize(order + offset)
    (place,) = _unpacked(order + offset, head[8:] if big else head[4:])
    while place and place not in places and place < 1 << 63:  # Pillow takes a circle for the end, too
        places.add(place)
        stream.seek(place)
        (tags,) = _unpacked(order + number, stream.read(struct.calcsize(order + number)))
        if tags > _MAX_TAGS:
            if len(places) == 1:
                raise ImageError(f"{name} has a page of {tags} tags: save it as PNG or JPEG")
            yield True
            return
        content = stream.read(tags * width + size)
        yield not _subfile(content[: tags * width], order, width) & _NO_PAGE
        (place,) = _unpacked(order + offset, content[tags * width :])


def _subfile(tags: bytes, order: str, width: int) -> int:
    numbers = np.frombuffer(tags[: len(tags) // width * width], f"{order}u2")[:: width // 2]
    for found in np.flatnonzero(numbers == _SUBFILE)[:1]:
        tag = tags[int(found) * width :]
        (kind,) = _unpacked(f"{order}H", tag[2:])
        (value,) = _unpacked(order + _INTEGERS.get(kind, "H"), tag[8 if width == 12 else 12 :])
        return int(value)
    return 0


def _unpacked(form: str, data: bytes) -> tuple[Any, ...]:
    """Zero where the file has ended."""
    size = struct.calcsize(form)
    return struct.unpack(form, data[:size].ljust(size, b"\0"))


def _of_gif(stream: BinaryIO, name: str) -> Iterator[bool]:
    """As `_of_tiff`. What is no block is skipped byte by byte, as Pillow does."""
    blocks = 0

    def count() -> None:
        nonlocal blocks
        blocks += 1
        if blocks > _MAX_BLOCKS:
            raise ImageError(f"{name} has more than {_MAX_BLOCKS} blocks: save it as PNG or JPEG")

    def block() -> bool:
        count()
        length = (stream.read(1) or b"\0")[0]
        return length > 0 and len(stream.read(length)) > 0

    def skip() -> None:
        while block():
            pass

    stream.seek(0)
    flags = (stream.read(13)[10:11] or b"\0")[0]
    _palette(stream, flags)
    while (kind := stream.read(1)) not in (b"", b";"):
        if kind == b"!":
            if stream.read(1) != b"\xfe":  # Pillow reads on after a first block without content, except of a comment
                block()
            skip()
        elif kind == b",":
            yield True
            _palette(stream, (stream.read(9)[8:9] or b"\0")[0])
            stream.read(1)
            skip()
        else:
            count()


def _palette(stream: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        stream.read(3 << (flags & 7) + 1)
