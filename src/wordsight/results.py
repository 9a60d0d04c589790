"""What a reader gives back: photos made of lines made of words made of characters. Plain, immutable values.

All polygons are in pixels of the upright image (EXIF orientation applied): x to the right, y down, the first point at
the top left of the text as it is read, then clockwise. The file formats are described in docs/results.md.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wordsight.decoding import Char
from wordsight.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

__all__ = ["SCHEMA", "Char", "Line", "Photo", "Polygon", "Word"]

SCHEMA = 1
"""Version of the JSON form. It changes when a field changes its meaning or goes; new fields do not change it."""

Polygon: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Word:
    """One word (or one crop, which may hold several words).

    Attributes:
        text: what it says; empty for a crop without text.
        confidence: probability that all of `text` is right and nothing follows: the product over the characters and the
            end of the word. 0 to 1.
        polygon: its outline, in pixels of the upright image.
        chars: one entry for each character of `text`, with probability and alternatives.
        outside: the reader was told what words may be, and what is written here looks far more like something else.
    """

    text: str
    confidence: float
    polygon: Polygon
    chars: tuple[Char, ...] = ()
    outside: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain Python values; see docs/results.md."""
        return {
            "text": self.text,
            "confidence": _probability(self.confidence),
            "polygon": _points(self.polygon),
            "chars": [
                {
                    "text": char.text,
                    "probability": _probability(char.probability),
                    "alternatives": [[text, _probability(p)] for text, p in char.alternatives],
                }
                for char in self.chars
            ],
        } | ({"outside": True} if self.outside else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Word":
        """The word that `to_dict` wrote."""
        chars = tuple(
            Char(c["text"], c["probability"], tuple((text, p) for text, p in c["alternatives"]))
            for c in values["chars"]
        )
        outside = values.get("outside", False)
        return cls(values["text"], values["confidence"], as_polygon(values["polygon"]), chars, outside)


@dataclass(frozen=True, slots=True)
class Line:
    """Words that stand in one row, in reading order.

    Attributes:
        words: at least one.
        polygon: outline of the line in pixels of the upright image: of the box that was detected or given, or four
            corners around the boxes of a row that was detected in several.
    """

    words: tuple[Word, ...]
    polygon: Polygon

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Probability that every word of the line is right: the product over its words."""
        return math.prod(word.confidence for word in self.words)

    def to_dict(self) -> dict[str, Any]:
        """As plain Python values; see docs/results.md."""
        return {
            "text": self.text,
            "confidence": _probability(self.confidence),
            "polygon": _points(self.polygon),
            "words": [word.to_dict() for word in self.words],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Line":
        """The line that `to_dict` wrote."""
        return cls(tuple(Word.from_dict(word) for word in values["words"]), as_polygon(values["polygon"]))


@dataclass(frozen=True, slots=True)
class Photo:
    """Everything that was read in one picture.

    Attributes:
        source: its path or name.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        lines: in reading order; with boxes of your own, in their order.
        problems: one sentence for each box of yours that could not be read.
    """

    source: str
    width: int
    height: int
    lines: tuple[Line, ...]
    problems: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        """The lines, one below the other."""
        return "\n".join(line.text for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """As plain Python values; see docs/results.md. Coordinates are rounded to 0.01 px, probabilities to 0.0001."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "lines": [line.to_dict() for line in self.lines],
            "problems": list(self.problems),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Photo":
        """The photo that `to_dict` wrote.

        Raises:
            DataError: `values` is of another schema, or a field is missing.
        """
        if values.get("schema") != SCHEMA:
            raise DataError(f"results of schema {values.get('schema')!r} cannot be read: this version knows {SCHEMA}")
        try:
            return cls(
                values["source"],
                values["width"],
                values["height"],
                tuple(Line.from_dict(line) for line in values["lines"]),
                tuple(values["problems"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"results of {values.get('source')!r} are incomplete or malformed ({error})") from None

    def to_json(self, indent: int | None = None) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> "Photo":
        """The photo that `to_json` wrote. Raises DataError if `text` is anything else."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise DataError(f"results are not JSON ({error})") from None
        if not isinstance(values, dict):
            raise DataError("results are not one JSON object: give one photo at a time")
        return cls.from_dict(values)

    def to_csv(self) -> str:
        """A table with one row per word, for spreadsheets."""
        from wordsight.formats import FORMATS

        return FORMATS["csv"].document([self])

    def to_tsv(self) -> str:
        """The table of `to_csv` with tabs and without quotes, for programs."""
        from wordsight.formats import FORMATS

        return FORMATS["tsv"].document([self])

    def to_hocr(self) -> str:
        """One hOCR page."""
        from wordsight.formats import FORMATS

        return FORMATS["hocr"].document([self])

    def draw(self, image: "str | Path | bytes | np.ndarray | Image.Image") -> "Image.Image":
        """A copy of `image`, which must be the picture that was read, with outlines, texts and confidences.

        Raises:
            ImageError: the image cannot be read, or has another size.
        """
        from wordsight.drawing import draw

        return draw(self, image)


def bounds(polygon: Polygon) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the upright rectangle around a polygon."""
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def as_polygon(points: "Sequence[Sequence[float]] | np.ndarray") -> Polygon:
    """Points (N, 2) as a tuple of plain floats."""
    return tuple((float(x), float(y)) for x, y in points)


def _points(polygon: Polygon) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in polygon]


def _probability(value: float) -> float:
    return round(float(value), 4)
