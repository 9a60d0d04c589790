"""Fonts: which files there are, which characters each can really draw, and cached glyphs.

Everything goes through Pillow's FreeType. Inspecting a font takes milliseconds, so the result of `font_index` is kept
in the user's cache folder; glyph masks are drawn once per process and cached up to a limit.
"""

import json
import logging
import os
import random
import string
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from wordsight.errors import DataError
from wordsight.files import cache_folder, write_text

_log = logging.getLogger(__name__)

CAP_HEIGHT = 32
"""Height in pixels at which the capital H of every font is drawn: the scale of all masks in this package."""

PRINTABLE = string.ascii_uppercase + string.ascii_lowercase + string.digits + string.punctuation
NO_GLYPH = ("\uffff", "\u0378", "\U000e0fff")
"""Unassigned characters: what a face draws for them means 'missing'."""
_USUAL = frozenset(string.ascii_letters + string.digits)
_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb", ".woff"}
_INDEX_VERSION = 3
# Seven-segment, line and OCR faces, which are not used on signs (DSEG draws text as digits of a clock).
_SKIPPED_PARTS = ("dseg", "linex", "ocr-a", "ocr-b", "ocra", "ocrb", "sortsmill-dingbat")
_GLYPH_CACHE_BYTES = 256 * 2**20
# A face with a lower score counts as symbols. Text faces score 0.6 to 1.
_MIN_SCORE = 0.25


@dataclass(frozen=True)
class Face:
    """A typeface: a font file (`path` "" is Pillow's own), its size for `CAP_HEIGHT`, and the characters it can draw.

    `weight` is the wght axis of a variable font, otherwise 0. `characters` leaves out lower-case letters that are drawn
    as capitals. `score` is the share of letters that look more like themselves than like any other letter. `mono`:
    known to be monospaced.
    """

    path: str
    size: int
    characters: str
    weight: int = 0
    score: float = 1.0
    family: str = ""
    mono: bool = False

    def can_draw(self, text: str) -> bool:
        """Whether every character of `text`, except spaces, has a glyph of its own."""
        return set(text) <= {*self.characters, " "}


@dataclass(frozen=True)
class Glyph:
    """A drawn character: its mask cropped to the ink (None for a space), its offset from the pen, the pen's advance."""

    mask: NDArray[np.uint8] | None
    left: int
    top: int
    advance: float


def default_folders() -> list[Path]:
    """The existing font folders of this system."""
    home = Path.home()
    if sys.platform == "darwin":
        folders = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    elif sys.platform == "win32":
        folders = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    else:
        shared = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]
        folders = [*shared, home / ".fonts", home / ".local/share/fonts"]
    return [folder for folder in folders if folder.is_dir()]


@lru_cache(maxsize=128)
def open_font(face: Face) -> ImageFont.FreeTypeFont:
    """The FreeType font of a face, at its size and weight; the last ones are kept open."""
    if not face.path:
        font = ImageFont.load_default(face.size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise DataError("no font found and Pillow was built without FreeType: give a folder with --fonts")
        return font
    font = ImageFont.truetype(face.path, face.size, layout_engine=ImageFont.Layout.BASIC)
    if face.weight:
        values = [float(axis["default"] or 0) for axis in font.get_variation_axes()]
        values[_weight_axis(font)] = face.weight
        font.set_variation_by_axes(values)
    return font


def _weight_axis(font: ImageFont.FreeTypeFont) -> int:
    """Index of a variable font's weight axis (axis names are bytes in Pillow), -1 if there is none."""
    try:
        names = [bytes(axis["name"] or b"").lower() for axis in font.get_variation_axes()]
    except (OSError, NotImplementedError):
        return -1
    return names.index(b"weight") if b"weight" in names else -1


def ink(font: ImageFont.FreeTypeFont, text: str) -> tuple[NDArray[np.uint8] | None, int, int]:
    """Mask of a text cropped to its ink (None if there is none), and its offset from the pen on the baseline."""
    core, offset = font.getmask2(text, "L", anchor="ls")
    box = core.getbbox() if core.size[0] and core.size[1] else None
    if box is None:
        return None, 0, 0
    mask = np.frombuffer(bytes(core), np.uint8).reshape(core.size[1], core.size[0])
    return mask[box[1] : box[3], box[0] : box[2]].copy(), offset[0] + box[0], offset[1] + box[1]


def shape(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A glyph as a vector independent of its size: 16 x 16 grey levels of mean 0 and norm 1, and its aspect ratio."""
    small = np.asarray(Image.fromarray(mask).resize((16, 16), Image.Resampling.BOX), dtype=np.float32).ravel()
    small = small - small.mean()
    norm = float(np.linalg.norm(small))
    # Width over height distinguishes I and O, as both fill the square.
    ratio = np.float32(min(mask.shape[1] / mask.shape[0], 3.0) * 0.3)
    return np.append(small / norm if norm else small, ratio)


def _inspect(path: Path, weight: int) -> tuple[Face, dict[str, NDArray[np.float32]]] | None:
    """The face of a file and the shapes of its letters; None if it draws no capitals or no digits."""
    probe = Face(str(path) if path.name else "", 64, "", weight)
    font = open_font(probe)
    capital = ink(font, "H")[0]
    if capital is None or capital.shape[0] < 4:
        return None
    face = Face(probe.path, max(8, round(64 * CAP_HEIGHT / capital.shape[0])), "", weight)
    if face.size > 400:
        return None
    font = open_font(face)
    missing = {identity(ink(font, c)[0]) for c in NO_GLYPH} - {b""}
    drawable: dict[str, NDArray[np.uint8]] = {}
    for character in PRINTABLE:
        mask = ink(font, character)[0]
        if (
            mask is None
            or mask.shape[1] > 4 * CAP_HEIGHT
            or mask.shape[0] > 3 * CAP_HEIGHT
            or identity(mask) in missing
        ):
            if character == "E" and not drawable.keys() & {*"ABCD"}:
                return None  # not a Latin face: skip the rest
            continue
        drawable[character] = mask
    # Placeholders such as boxes: the same picture for four or more letters or digits (I, l and 1 may share one).
    pictures = Counter(identity(g) for c, g in drawable.items() if c.isalnum())
    drawable = {c: g for c, g in drawable.items() if pictures[identity(g)] < 4}
    shapes = {c: shape(g) for c, g in drawable.items() if c.isalpha()}
    # A small-caps or capitals-only face draws 'a' with the shape of 'A'; letters alike in both cases prove nothing.
    pairs = [c for c in "abdefghijlmnqrty" if c in shapes and c.upper() in shapes]
    same = sum(float(shapes[c][:-1] @ shapes[c.upper()][:-1]) > 0.85 for c in pairs)
    if pairs and same > len(pairs) / 2:
        drawable = {c: g for c, g in drawable.items() if not c.islower()}
        shapes = {c: s for c, s in shapes.items() if not c.islower()}
    distinct = {identity(g) for c, g in drawable.items() if c in string.ascii_uppercase}
    if len(distinct) < 24:
        return None
    return Face(face.path, face.size, "".join(drawable), weight), shapes


def identity(mask: NDArray[np.uint8] | None) -> bytes:
    """Equal for equal masks; empty if there is no ink."""
    return b"" if mask is None else mask.tobytes() + bytes(divmod(mask.shape[1], 256))


def _weights(path: Path) -> list[int]:
    """The weights at which a file is used: 300 to 900 within the range of a variable font, otherwise [0]."""
    font = ImageFont.truetype(str(path), 16, layout_engine=ImageFont.Layout.BASIC)
    axis = _weight_axis(font)
    if axis < 0:
        return [0]
    low, high = font.get_variation_axes()[axis]["minimum"], font.get_variation_axes()[axis]["maximum"]
    return sorted({int(min(max(w, low or 1), high or 1)) for w in (300, 500, 700, 900)})


def _score(faces: list[tuple[Face, dict[str, NDArray[np.float32]]]]) -> list[Face]:
    """The faces whose letters look like letters, by comparison with the mean shape of each letter over all faces."""
    if len(faces) < 20:  # too few to know what letters usually look like
        return [face for face, _ in faces]
    letters = string.ascii_letters
    means = np.stack([np.mean([s[c] for _, s in faces if c in s], axis=0) for c in letters])
    kept = []
    for face, shapes in faces:
        own = [c for c in letters if c in shapes]
        nearest = np.argmax(np.stack([shapes[c] for c in own]) @ means.T, axis=1)
        share = float(np.mean([letters[n].lower() == c.lower() for n, c in zip(nearest, own, strict=True)]))
        if share >= _MIN_SCORE:
            kept.append(Face(face.path, face.size, face.characters, face.weight, round(share, 3), face.family))
    return kept


def font_index(
    folders: Sequence[str | Path] | None = None, watch: Callable[[Sequence[Path]], Iterable[Path]] = iter
) -> tuple[Face, ...]:
    """The usable faces below `folders` (default: the system's), sorted by path; at least Pillow's own font.

    Left out are files that FreeType cannot open, symbol fonts, faces without capitals, and exact copies of other faces.
    The result is cached in the user's cache folder, keyed by all paths, sizes and times. Without the cache, inspecting
    2,000 files takes 25 s; `watch` may wrap the files, for instance in a progress bar.

    Raises:
        DataError: a requested folder does not exist or has no usable font.
    """
    faces = indexed(folders, [_INDEX_VERSION, CAP_HEIGHT], lambda paths: _build(watch(paths)))
    if not faces and folders is not None:
        raise DataError(f"{', '.join(map(str, folders))}: no usable font: give a folder with .ttf or .otf files")
    if faces:
        return faces
    fallback = _inspect(Path(), 0)  # Pillow's own
    if fallback is None:
        raise DataError("no font found: give a folder with --fonts")
    return (fallback[0],)


def indexed(
    folders: Sequence[str | Path] | None, kind: Sequence[object], build: Callable[[list[Path]], tuple[Face, ...]]
) -> tuple[Face, ...]:
    """The result of `build` for the font files below `folders` (None: the system's), cached for this `kind` of index.

    Raises:
        DataError: a folder does not exist.
    """
    roots = [Path(folder) for folder in folders] if folders is not None else default_folders()
    for root in roots:
        if not root.is_dir():
            raise DataError(f"{root}: no such folder of fonts; give a folder with .ttf or .otf files")
    paths = sorted({p for root in roots for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES})
    paths = [p for p in paths if not any(part in str(p).lower() for part in _SKIPPED_PARTS)]
    stamp = [(str(p), s.st_size, s.st_mtime_ns) for p in paths for s in (p.stat(),)]
    name = sha256(json.dumps([*kind, stamp]).encode()).hexdigest()[:24]
    file = cache_folder() / f"fonts-{name}.json"
    try:
        return tuple(Face(**entry) for entry in json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not there yet, or damaged
        faces = build(paths)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps([asdict(face) for face in faces]))
    except OSError as error:
        _log.info("%s: font index not kept: %s", file, error)
    return faces


def _build(paths: Iterable[Path]) -> tuple[Face, ...]:
    faces, seen = [], set()
    for path in paths:
        try:
            found = [_inspect(path, weight) for weight in _weights(path)]
        except (OSError, ValueError, MemoryError, OverflowError) as error:
            _log.info("%s: skipped, FreeType says: %s", path, error)
            continue
        for entry in found:
            if entry is None:
                continue
            key = b"".join(s.tobytes() for s in entry[1].values())
            if key not in seen:
                seen.add(key)
                family = "".join(c for c in path.stem.split("-")[0].lower() if c.isalpha())[:12]
                faces.append((Face(**{**asdict(entry[0]), "family": family}), entry[1]))
    return tuple(_score(faces))


def covering(faces: Sequence[Face], characters: Iterable[str]) -> tuple[Face, ...]:
    """The faces, with those of the further `characters` that each can draw. About 5 ms per face."""
    wanted = sorted(set(characters))
    return tuple(replace(face, characters=face.characters + _drawn(face, wanted)) for face in faces)


def _drawn(face: Face, wanted: Sequence[str]) -> str:
    font = open_font(face)

    missing = {b"", *(identity(ink(font, c)[0]) for c in NO_GLYPH)}
    new = (c for c in wanted if c not in face.characters)
    return "".join(c for c in new if identity(ink(font, c)[0]) not in missing)


class FontBook:
    """Picks faces and draws their glyphs, which are cached up to a limit."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = tuple(faces)
        self._sets = [frozenset(face.characters) | {" "} for face in self.faces]
        families: dict[str, list[int]] = {}
        for number, face in enumerate(self.faces):
            families.setdefault(face.family, []).append(number)
        self._families = list(families.values())
        # Text faces, display faces, and all faces, which include those made of dots and the like.
        self._classes = [self._groups(least) for least in (0.75, 0.5, 0.0)]
        self._glyphs: OrderedDict[tuple[int, str], Glyph] = OrderedDict()
        self._glyph_bytes = 0
        self._known: set[int] = set()

    def _groups(self, least: float) -> list[list[int]]:
        """The families of faces that score at least `least`; all families if none does."""
        groups = [[n for n in family if self.faces[n].score >= least] for family in self._families]
        return [group for group in groups if group] or self._families

    def pick(self, rng: random.Random, text: str) -> int:
        """Number of a face that can draw `text`: mostly text faces, each family with equal probability."""
        wanted = set(text)
        for _ in range(12):
            form = rng.random()
            groups = self._classes[0 if form < 0.70 else 1 if form < 0.95 else 2]
            number = rng.choice(rng.choice(groups))
            if wanted <= self._sets[number]:
                return number
        able = [n for n, known in enumerate(self._sets) if wanted <= known]
        return rng.choice(able) if able else max(range(len(self._sets)), key=lambda n: len(wanted & self._sets[n]))

    def glyph(self, number: int, character: str) -> Glyph:
        """The glyph of a character in face `number`, cached."""
        glyph = self._glyphs.get((number, character))
        return self._draw(number, character) if glyph is None else glyph

    def _draw(self, number: int, character: str) -> Glyph:
        """Draws a character, and letters and digits with the first one of a face: opening the file takes longest."""
        font = open_font(self.faces[number])
        if number not in self._known and character.isascii():
            self._known.add(number)
            for usual in sorted(self._sets[number] & _USUAL - {character}):
                self._keep(font, number, usual)
        return self._keep(font, number, character)

    def _keep(self, font: ImageFont.FreeTypeFont, number: int, character: str) -> Glyph:
        glyph = self._glyphs[number, character] = Glyph(*ink(font, character), font.getlength(character))
        self._glyph_bytes += _weight_of(glyph)
        while self._glyph_bytes > _GLYPH_CACHE_BYTES:
            self._glyph_bytes -= _weight_of(self._glyphs.popitem(last=False)[1])
        return glyph


def _weight_of(glyph: Glyph) -> int:
    return 400 + (0 if glyph.mask is None else glyph.mask.size)
