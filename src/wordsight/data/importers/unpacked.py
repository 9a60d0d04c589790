"""What all importers need: the files below a folder, checks of words and scenes, and a count of what is left out."""

import csv
import gzip
import json
import os
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data.check import Kind
from wordsight.data.folder import natural_key
from wordsight.data.scenes import FAR, Scene, SceneWord, read_file
from wordsight.errors import DataError
from wordsight.imaging.geometry import area
from wordsight.imaging.pixels import exif_orientation

Points = npt.NDArray[np.float64]

_PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
_SPLITS = (
    ("validation", re.compile("(?<![a-z])val(idation)?(?![a-z])")),
    ("test", re.compile("(?<![a-z])test(ing)?(?![a-z])")),
    ("train", re.compile("(?<![a-z])train(ing)?(?![a-z])")),
)
_MIN_AREA = 1.0  # square pixels, as for cutting crops
# First word of the Unicode name of a letter -> ISO 15924; kana mean Japanese whatever else there is.
_SCRIPTS = {
    "LATIN": "Latn", "CJK": "Hani", "HIRAGANA": "Jpan", "KATAKANA": "Jpan", "HANGUL": "Kore", "ARABIC": "Arab",
    "BENGALI": "Beng", "DEVANAGARI": "Deva", "CYRILLIC": "Cyrl", "GREEK": "Grek", "HEBREW": "Hebr", "THAI": "Thai",
}  # fmt: skip


@dataclass(frozen=True)
class DataSet:
    """A data set that can be imported.

    Attributes:
        title: its name in papers.
        licence: as its organisers, or others who asked them, state it; users should check.
        address: where it can be downloaded.
        seen: whether the importer was tested on the organisers' files.
        read: yields its scenes.
    """

    title: str
    licence: str
    address: str
    seen: bool
    read: Callable[["Unpacked"], Iterator[Scene]]


class Unpacked:
    """The folder that a data set was unpacked to, whatever its layout, and what had to be left out of it.

    Args:
        root: has the annotations, itself or below.
        images: has the pictures, if they are elsewhere.

    Attributes:
        skipped: why words or scenes were left out -> how many, and the first of them.

    Raises:
        DataError: a folder does not exist.
    """

    def __init__(self, root: Path, images: Path | None = None) -> None:
        for folder in (root, images):
            if folder is not None and not folder.is_dir():
                raise DataError(f"{folder}: is not a folder: give the one the data set was unpacked to")
        self.root = root
        self.images = images
        self.skipped: dict[str, Kind] = {}

    @cached_property
    def _files(self) -> list[Path]:
        found = [Path(parent, name) for parent, _, names in os.walk(self.root, followlinks=True) for name in names]
        return sorted(found, key=lambda path: [natural_key(part) for part in path.parts])

    @cached_property
    def _pictures(self) -> dict[str, list[Path]]:
        """Name without its ending, in lower case -> pictures of that name."""
        found: dict[str, list[Path]] = {}
        files = self._files if self.images is None else Unpacked(self.images)._files
        for path in files:
            if path.suffix.lower() in _PICTURES:
                found.setdefault(path.stem.lower(), []).append(path)
        return found

    def find(self, *patterns: str) -> list[Path]:
        """The files whose whole name matches one of these regular expressions, in the natural order of their paths.

        Raises:
            DataError: there is none.
        """
        wanted = re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
        found = [path for path in self._files if wanted.fullmatch(path.name)]
        if not found:
            raise DataError(f"{self.root}: no annotations like {' or '.join(patterns)}: is it this data set?")
        return found

    def once(self, paths: Sequence[Path]) -> Iterator[Path]:
        """Each file name once per split: the same annotations may be there for several tasks of a challenge."""
        seen = set()
        for path in paths:
            name = self.split(path), path.name.lower()
            if name in seen:
                self.skip("annotations are there twice", str(path))
            else:
                seen.add(name)
                yield path

    def split(self, path: Path) -> str:
        """Which split a file belongs to, by its name or else the nearest folder below the root that says so."""
        below = path.relative_to(self.images or self.root) if path.is_relative_to(self.images or self.root) else path
        for part in reversed(below.parts):
            words = re.sub("(?<=[a-z])(?=[A-Z])", "_", part).lower()  # SceneTrialTest
            for name, mark in _SPLITS:
                if mark.search(words):
                    return name
        return ""

    def skip(self, reason: str, example: str) -> None:
        """Count something that is left out."""
        self.skipped.setdefault(reason, Kind()).add(example)

    def word(
        self,
        where: str,
        points: Iterable[Any],
        text: str | None,
        *,
        legible: bool = True,
        marks: frozenset[str] = frozenset({"###"}),
        script: str | None = None,
        id: str = "",
    ) -> SceneWord | None:
        """A word, or None if its polygon is unusable.

        Args:
            where: file and line, for examples of what is skipped.
            points: x and y alternating, numbers or strings of them.
            text: as it is given, surrounding white space aside. Words without text are not legible.
            legible: false if the organisers say so.
            marks: texts that mean illegible.
            script: if stated; None: by the letters of the text.
            id: its name in the data set.
        """
        try:
            polygon = np.array([float(value) for value in points], dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            self.skip("polygon is not numbers", where)
            return None
        if len(polygon) % 2 or len(polygon) < 8 or not np.isfinite(polygon).all():
            self.skip("polygon has fewer than four corners", where)
            return None
        if np.abs(polygon).max() > FAR:
            self.skip("polygon is far outside any picture", where)
            return None
        polygon = polygon.reshape(-1, 2)
        if len(polygon) > 4 and (polygon[0] == polygon[-1]).all():
            polygon = polygon[:-1]  # closed
        if abs(area(polygon)) < _MIN_AREA:
            self.skip("polygon is empty", where)
            return None
        text = (text or "").strip()
        legible = legible and bool(text) and text not in marks
        if script is None:
            script = script_of(text) if legible else ""
        return SceneWord(polygon, text, legible, script, id)

    def scene(
        self,
        name: str,
        words: Sequence[SceneWord | None],
        *,
        split: str = "",
        size: tuple[int, int] | None = None,
        rotation: int = 0,
    ) -> Iterator[Scene]:
        """The scene of a picture, or nothing if the picture is missing or of another size.

        The usual annotations refer to the pixels as they are stored; pictures with an EXIF orientation are turned
        upright here, and their words with them.

        Args:
            name: the picture's file name, with or without folders and ending.
            words: its words; None are left out.
            split: if the annotations have several.
            size: width and height of the annotated picture, if stated.
            rotation: by how many degrees counter-clockwise the stored picture was turned for annotation.
        """
        path = self._picture(name, split)
        if path is None:
            return
        try:
            with Image.open(path) as picture:
                stored, orientation = picture.size, exif_orientation(picture)
        except Exception:  # Pillow raises whatever its parsing ran into
            self.skip("picture is unreadable", str(path))
            return
        turned = []
        for word in filter(None, words):
            polygon = _upright(word.polygon, stored, orientation, size or stored, rotation)
            if polygon is None:
                self.skip("picture is not of the annotated size", f"{path}: {stored}, not {size}")
                return
            turned.append(replace(word, polygon=polygon))
        yield Scene(path, tuple(turned), path.stem, "", split)

    def _picture(self, name: str, split: str) -> Path | None:
        given = Path(name)
        stem = given.stem if given.suffix.lower() in _PICTURES else given.name
        found = self._pictures.get(stem.lower(), [])
        if not found:
            self.skip("picture is missing", name)
            return None
        folders = tuple(part.lower() for part in given.parts[:-1])
        # What distinguishes pictures of the same name, in this order
        tests = (
            lambda path: tuple(part.lower() for part in path.parts[:-1])[-len(folders) :] == folders,
            lambda path: self.split(path) == split,
            lambda path: path.name.lower() == given.name.lower(),
        )
        for test in tests:
            if len(found) > 1:
                found = [path for path in found if test(path)] or found
        if len(found) > 1:
            self.skip("several pictures have this name", f"{name}: {found[0]}, {found[1]}")
            return None
        return found[0]


def _upright(
    polygon: Points, stored: tuple[int, int], orientation: int, annotated: tuple[int, int], rotation: int
) -> Points | None:
    """The polygon on the upright picture; None if the annotated picture was neither that nor the stored one."""
    upright = stored[::-1] if orientation in (5, 6, 7, 8) else stored
    if _alike(annotated, stored):
        x, y = (polygon * (np.array(stored) / annotated)).T
    elif _alike(annotated, upright):
        return polygon * (np.array(upright) / annotated)
    elif rotation in (90, 270) and _alike(annotated, stored[::-1]):
        # Turned by 90 degrees counter-clockwise, (x, y) of the stored picture came to (y, width - x)
        u, v = (polygon * (np.array(stored[::-1]) / annotated)).T
        x, y = (stored[0] - v, u) if rotation == 90 else (v, stored[1] - u)
    else:
        return None
    w, h = stored
    places = {
        2: (w - x, y),
        3: (w - x, h - y),
        4: (x, h - y),
        5: (y, x),
        6: (h - y, x),
        7: (h - y, w - x),
        8: (y, w - x),
    }
    return np.stack(places.get(orientation, (x, y)), axis=1)


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same aspect ratio, as a picture and a smaller copy of it."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= 0.01 * one[0] * other[1]


def box(x: float, y: float, width: float, height: float) -> list[float]:
    """Corners of an upright rectangle, x and y alternating, clockwise from its top left."""
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def script_of(text: str) -> str:
    """ISO 15924 code of most letters of a text; empty if it has none, or of scripts that are not listed here."""
    found = Counter(_SCRIPTS.get(unicodedata.name(c, "").split(" ")[0], "") for c in text if c.isalpha())
    if found["Jpan"]:
        return "Jpan"
    return found.most_common(1)[0][0] if found else ""


def decode(path: Path, *fallbacks: str) -> str:
    """A text file in UTF-8, UTF-16 with a byte order mark, or one of `fallbacks`; without the mark.

    Raises:
        DataError: it cannot be opened, or is in none of these encodings.
    """
    data = read_file(path, 16 << 30)
    first = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for encoding in (first, *fallbacks):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path}: is not {' or '.join((first, *fallbacks))}: download it again")


def lines(path: Path, *fallbacks: str) -> Iterator[tuple[str, str]]:
    """(file and number, line) for all lines of a text file that are not empty; see `decode`."""
    for number, line in enumerate(decode(path, *fallbacks).split("\n"), start=1):
        if line := line.removesuffix("\r"):
            yield f"{path}: line {number}", line


def read_json(path: Path) -> Any:
    """The content of a JSON file, gzipped or not.

    Raises:
        DataError: it cannot be opened or is no JSON.
    """
    try:
        return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else decode(path))
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise DataError(f"{path}: is not JSON ({' '.join(str(error).split())}): download it again") from error


def rotations(files: Unpacked) -> dict[str, int]:
    """Open Images' id -> degrees by which its picture is to be turned counter-clockwise, from their image tables.

    Empty if no such table (`*rotation*.csv`) lies beside the annotations.
    """
    try:
        tables = files.find(r".*rotation.*\.csv")
    except DataError:
        return {}
    turned = {}
    for path in tables:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                if (degrees := row.get("Rotation") or "0") not in ("0", "0.0"):
                    turned[row.get("ImageID", "")] = int(float(degrees))
    return turned
