"""What a reader returns: photos contain lines, lines contain words, words contain characters. Plain, immutable values.

All polygons are in pixels of the upright image (EXIF orientation applied): x to the right, y down, the first point at
the top left of the text as it is read, then clockwise. The file formats are described in docs/results.md.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wordsight.decoding import Char
from wordsight.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from PIL import Image

    from wordsight.imaging import Source

__all__ = ["SCHEMA", "Char", "Line", "Photo", "Polygon", "Word"]

SCHEMA = 1
"""Version of the JSON form. It changes when a field changes its meaning or is removed; new fields do not change it."""

Polygon: TypeAlias = tuple[tuple[float, float], ...]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of an upright rectangle."""

_SHOWN = 40  # characters of a photo's text in its repr


@dataclass(frozen=True, slots=True, repr=False)
class Word:
    """One word (or one crop, which may hold several words).

    Attributes:
        text: its text; empty for a crop without text.
        confidence: probability, 0 to 1, that all of `text` is right and nothing follows: the product over the
            characters and the end of the word.
        polygon: its outline, in pixels of the upright image.
        chars: one entry for each character of `text`, with probability and alternatives.
        outside: the reader was constrained, and the picture looks far more like something the constraint rules out.
        rejected: its confidence is below the reader's `min_confidence`: it is only in `Photo.all_words`.
    """

    text: str
    confidence: float
    polygon: Polygon
    chars: tuple[Char, ...] = ()
    outside: bool = False
    rejected: bool = False

    def __repr__(self) -> str:
        marks = "".join(f" {mark}" for mark in ("outside", "rejected") if getattr(self, mark))
        return f"<Word {self.text!r} {self.confidence:.2f}{_place(self.polygon)}{marks}>"

    @property
    def box(self) -> Box:
        """The upright rectangle around it: left, top, right, bottom."""
        return bounds(self.polygon)

    def crop(self, image: "Source") -> "Image.Image":
        """The word, cut out of `image` and straightened. `image` must be the picture that was read.

        Raises:
            ImageError: the image cannot be read, or is one of several pages.
            BoxError: the word's outline encloses nothing of it.
        """
        from PIL import Image

        from wordsight.imaging import load_only, rectify

        return Image.fromarray(rectify(load_only(image), self.polygon))

    def to_dict(self, *, chars: bool = True) -> dict[str, Any]:
        """As plain Python values, with or without its characters; see docs/results.md."""
        values: dict[str, Any] = {
            "text": self.text,
            "confidence": _probability(self.confidence),
            "polygon": _points(self.polygon),
        }
        if chars:
            values["chars"] = [
                {
                    "text": char.text,
                    "probability": _probability(char.probability),
                    "alternatives": [[text, _probability(p)] for text, p in char.alternatives],
                }
                for char in self.chars
            ]
        return values | {mark: True for mark in ("outside", "rejected") if getattr(self, mark)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Word":
        """The word that `to_dict` wrote."""
        chars = tuple(
            Char(c["text"], c["probability"], tuple((text, p) for text, p in c["alternatives"]))
            for c in values.get("chars", ())
        )
        marks = {mark: bool(values.get(mark, False)) for mark in ("outside", "rejected")}
        return cls(values["text"], values["confidence"], as_polygon(values["polygon"]), chars, **marks)


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """Words in one row, in reading order.

    Attributes:
        words: at least one.
        polygon: outline of the line in pixels of the upright image: the detected or given box, or four corners around
            the boxes of a row that was detected in several.
    """

    words: tuple[Word, ...]
    polygon: Polygon

    def __repr__(self) -> str:
        return f"<Line {self.text!r} {self.confidence:.2f}{_place(self.polygon)}>"

    @property
    def box(self) -> Box:
        """The upright rectangle around it: left, top, right, bottom."""
        return bounds(self.polygon)

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Probability that every word of the line is right: the product over its words."""
        return math.prod(word.confidence for word in self.words)

    def to_dict(self, *, chars: bool = True) -> dict[str, Any]:
        """As plain Python values, with or without characters; see docs/results.md."""
        return {
            "text": self.text,
            "confidence": _probability(self.confidence),
            "polygon": _points(self.polygon),
            "words": [word.to_dict(chars=chars) for word in self.words],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Line":
        """The line that `to_dict` wrote."""
        return cls(tuple(Word.from_dict(word) for word in values["words"]), as_polygon(values["polygon"]))


@dataclass(frozen=True, slots=True, repr=False)
class Photo:
    """Everything that was read in one picture. Its length is the number of words, and iterating over it yields them.

    Attributes:
        source: its path or name.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        lines: in reading order; with boxes of your own, in their order.
        problems: a sentence for each box that could not be read, and for pages that were left out.
        page: its number, from 1, if the source has several pages.
        rejected: words that are not in `lines` because their confidence is too low.
        notes: remarks on the picture that are not problems.
        context: whether words were read with a whole photo as context, by a model that takes one.
    """

    source: str
    width: int
    height: int
    lines: tuple[Line, ...]
    problems: tuple[str, ...] = ()
    page: int | None = None
    rejected: tuple[Word, ...] = ()
    notes: tuple[str, ...] = ()
    context: bool = False

    def __repr__(self) -> str:
        text = " ".join(self.text.split())
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        page = "" if self.page is None else f" page {self.page}"
        counts = f"{_count(len(self), 'word')} in {_count(len(self.lines), 'line')}"
        others = {"problem": len(self.problems), "rejected": len(self.rejected)}
        more = "".join(f", {_count(number, name)}" for name, number in others.items() if number)
        return f"<Photo {self.source!r}{page} {self.width}x{self.height}: {counts}{more}, {text!r}>"

    def __len__(self) -> int:
        return len(self.words)

    def __bool__(self) -> bool:
        return True  # even without words

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def all_words(self) -> tuple[Word, ...]:
        """The words, followed by the rejected ones, which are marked `rejected`."""
        return self.words + self.rejected

    @property
    def text(self) -> str:
        """The text of all lines, one per line."""
        return "\n".join(line.text for line in self.lines)

    def to_dict(self, *, chars: bool = True) -> dict[str, Any]:
        """As plain Python values; see docs/results.md. Coordinates are rounded to 0.01 px, probabilities to 0.0001.

        Args:
            chars: whether to include the characters of words with probabilities and alternatives, most of the data.
        """
        return (
            {"schema": SCHEMA, "source": self.source}
            | ({} if self.page is None else {"page": self.page})
            | {
                "width": self.width,
                "height": self.height,
                "lines": [line.to_dict(chars=chars) for line in self.lines],
                "problems": list(self.problems),
            }
            | ({"rejected": [word.to_dict(chars=chars) for word in self.rejected]} if self.rejected else {})
            | ({"notes": list(self.notes)} if self.notes else {})
            | ({"context": True} if self.context else {})
        )

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
                values.get("page"),
                tuple(Word.from_dict(word) for word in values.get("rejected", ())),
                tuple(values.get("notes", ())),
                bool(values.get("context", False)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"results of {values.get('source')!r} are incomplete or malformed ({error})") from None

    def to_json(self, indent: int | None = None, *, chars: bool = True) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(chars=chars), ensure_ascii=False, indent=indent)

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

    def to_format(self, name: str) -> str:
        """A document of this photo in a format of `wordsight read --format`.

        Raises:
            ConfigError: there is no format of that name.
        """
        from wordsight.export import find_format

        return find_format(name).document([self])

    def to_csv(self) -> str:
        """A table with one row per word, for spreadsheets."""
        return self.to_format("csv")

    def to_tsv(self) -> str:
        """The table of `to_csv` with tabs and without quotes, for programs."""
        return self.to_format("tsv")

    def to_hocr(self) -> str:
        """One hOCR page."""
        return self.to_format("hocr")

    def to_df(self) -> "pandas.DataFrame":
        """The table of `to_csv` for pandas: one row per word, numbers as numbers, texts as they were read.

        Raises:
            ConfigError: pandas is not installed.
        """
        from wordsight.export.csv import data_frame

        return data_frame(self)

    def save(self, path: str | Path, image: "Source | None" = None) -> None:
        """Writes it to a file in the format of its extension: .txt, .json, .jsonl, .csv, .tsv, .hocr, .alto.xml,
        .page.xml, .md, .html, or draws it as .png, .jpg or another picture.

        Args:
            path: the file; an existing one is replaced.
            image: the picture that was read, for drawings and HTML. None: the file that `source` names.

        Raises:
            ConfigError: the extension is unknown, or the file cannot be written.
            ImageError: the picture cannot be read, or has another size.
        """
        from wordsight.export import save

        save(self, path, image)

    def draw(self, image: "Source | None" = None, *, beside: bool = False) -> "Image.Image":
        """A copy of `image`, the picture that was read, with outlines coloured by confidence, and texts.

        Args:
            image: None: the file that `source` names.
            beside: draw the texts in a second picture, to the right.

        Raises:
            ImageError: the image cannot be read, or has another size.
        """
        from wordsight.export.drawing import draw

        return draw(self, image, beside=beside)

    def show(self, image: "Source | None" = None, *, beside: bool = False) -> None:
        """Opens the drawing in the system's image viewer, or in the notebook. Arguments and errors are those of `draw`.

        Raises:
            ConfigError: there is no screen, or no image viewer.
        """
        from wordsight.export.drawing import show

        show(self.draw(image, beside=beside))

    def _repr_html_(self) -> str:
        """For notebooks: the picture with outlines, if its file is available, and the text beside it."""
        from wordsight.export.html import fragment

        return fragment(self)


def bounds(polygon: Polygon) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the upright rectangle around a polygon."""
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def as_polygon(points: "Sequence[Sequence[float]] | np.ndarray") -> Polygon:
    """Points (N, 2) as a tuple of plain floats."""
    return tuple((float(x), float(y)) for x, y in points)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 or name == 'rejected' else 's'}"


def _place(polygon: Polygon) -> str:
    return " at " + ", ".join(f"{value:.0f}" for value in bounds(polygon)) if polygon else ""


def _points(polygon: Polygon) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in polygon]


def _probability(value: float) -> float:
    return round(float(value), 4)
