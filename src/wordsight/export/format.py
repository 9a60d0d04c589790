"""What a format is, and what several of them share."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

from wordsight.imaging import Source
from wordsight.results import Photo, Polygon, bounds

Item = Callable[[Photo, int, Source | None], str]
"""What a document has for a photo: its `number`-th from 1; the last argument is its picture where that is at hand."""


@dataclass(frozen=True)
class Format:
    """How a document is put together: head, one item per photo with the separator between them, tail.

    Attributes:
        item: writes one photo.
        single: a document holds one photo and no more.
    """

    item: Item
    head: str = ""
    separator: str = ""
    tail: str = ""
    single: bool = False

    def document(self, photos: Iterable[Photo], image: Source | None = None) -> str:
        """The whole document; `image` is the picture of its photo, if there is one."""
        items = (self.item(photo, number, image) for number, photo in enumerate(photos, 1))
        return self.head + self.separator.join(items) + self.tail


def attribute(text: str) -> str:
    """As the value of an attribute in XML or HTML."""
    return escape(xml_characters(text), quote=True)


def content(text: str) -> str:
    """As text in XML or HTML."""
    return escape(xml_characters(text), quote=False)


def xml_characters(text: str) -> str:
    """Without the characters that XML 1.0 forbids (a file name may hold any)."""
    return "".join(
        c if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c not in "\ufffe\uffff" else "\ufffd" for c in text
    )


def pixel_box(polygon: Polygon, photo: Photo) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in whole pixels around the polygon, inside the picture."""
    left, top, right, bottom = bounds(polygon)
    return (
        _within(math.floor(left), photo.width),
        _within(math.floor(top), photo.height),
        _within(math.ceil(right), photo.width),
        _within(math.ceil(bottom), photo.height),
    )


def pixel_points(points: Iterable[tuple[float, float]], photo: Photo) -> str:
    """`x,y x,y ...` in whole pixels inside the picture, as ALTO and PAGE want them."""
    return " ".join(f"{_within(round(x), photo.width)},{_within(round(y), photo.height)}" for x, y in points)


def baseline(polygon: Polygon) -> Polygon:
    """The lower edge of a text's outline, from where the text begins: the second half of its points, backwards."""
    return polygon[len(polygon) // 2 :][::-1]


def title(photo: Photo) -> str:
    """The source, with the page where it has several."""
    return photo.source if photo.page is None else f"{photo.source}, page {photo.page}"


def _within(value: int, limit: int) -> int:
    return max(0, min(value, limit))
