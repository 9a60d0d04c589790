"""Fonts: which files there are, and which characters each of them can really draw.

Everything goes through Pillow's FreeType. Inspecting a font takes some 20 ms, so the result of `font_index` is kept in
the user's cache folder.
"""

import json
import logging
import os
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from wordsight.errors import DataError
from wordsight.files import cache_folder, write_text

_Shape = NDArray[np.float16]

_log = logging.getLogger(__name__)

CAP_HEIGHT = 32
"""Height in pixels at which the capital H of every font is drawn: the scale of all masks in this package."""

PRINTABLE = string.ascii_uppercase + string.ascii_lowercase + string.digits + string.punctuation
LETTERS = (
    "".join(c for c in map(chr, range(0xC0, 0x180)) if c.isalpha() and c not in "ĲĳŉſĿŀ")
    + "ƠơƯưȘșȚțẞ"
    + "".join(map(chr, range(0x1EA0, 0x1EFA)))
)
"""Letters beyond ASCII of the Latin languages: Latin-1, Latin Extended-A, Romanian's, Vietnamese's, the capital ß."""
SIGNS = "¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿×÷€™–—…‘’‚“”„•‹›‰№₫₹₺₽₩₴₱₪✓→←↑↓−≤≥≠≈∞Ω√★●′″⅓⅔⅛"
"""Signs beyond ASCII found on price tags, packages, signs and screens."""
LATIN = LETTERS + SIGNS
_NO_GLYPH = ("\uffff", "\u0378", "\U000e0fff")  # unassigned: what a face draws for them means 'missing'
_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb", ".woff"}
_INDEX_VERSION = 4
# Seven-segment, line and OCR faces, which are not used on signs (DSEG draws text as digits of a clock).
_SKIPPED_PARTS = ("dseg", "linex", "ocr-a", "ocr-b", "ocra", "ocrb", "sortsmill-dingbat")
# A face with a lower score counts as symbols. Text faces score 0.6 to 1.
_MIN_SCORE = 0.25
_LEAST_CORRELATION = 0.3  # with the median of all faces; below it a sign is another picture (hearts, arrows, nothing)


@dataclass(frozen=True)
class Face:
    """A typeface: a font file (`path` "" is Pillow's own), its size for `CAP_HEIGHT`, and the characters it can draw.

    `weight` is the wght axis of a variable font, otherwise 0. `characters`, of `PRINTABLE` and `LATIN`, leaves out
    lower-case letters that are drawn as capitals, accented letters that are drawn like the bare ones, and signs that
    look unlike those of most other faces. `score` is the share of letters that look more like themselves than like any
    other letter. `mono`: monospaced.
    """

    path: str
    size: int
    characters: str
    weight: int = 0
    score: float = 1.0
    family: str = ""
    mono: bool = False


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


def _shape(mask: NDArray[np.uint8]) -> _Shape:
    """A glyph as a vector independent of its size: 16 x 16 grey levels of mean 0 and norm 1, and its aspect ratio."""
    small = np.asarray(Image.fromarray(mask).resize((16, 16), Image.Resampling.BOX), dtype=np.float32).ravel()
    small = small - small.mean()
    norm = float(np.linalg.norm(small))
    # Width over height distinguishes I and O, as both fill the square.
    ratio = np.float32(min(mask.shape[1] / mask.shape[0], 3.0) * 0.3)
    return np.append(small / norm if norm else small, ratio).astype(np.float16)


def _inspect(path: Path, weight: int) -> tuple[Face, dict[str, _Shape]] | None:
    """The face of a file and the shapes of its ASCII letters and of its signs; None if it lacks capitals or digits.

    Signs are not among the face's characters yet: that needs the other faces.
    """
    probe = Face(str(path) if path.name else "", 64, "", weight)
    capital = ink(open_font(probe), "H")[0]
    if capital is None or capital.shape[0] < 4:
        return None
    face = replace(probe, size=max(8, round(64 * CAP_HEIGHT / capital.shape[0])))
    if face.size > 400:
        return None
    font = open_font(face)
    missing = _missing(font)
    drawn: dict[str, NDArray[np.uint8]] = {}
    for character in PRINTABLE:
        mask = ink(font, character)[0]
        if (
            mask is None
            or mask.shape[1] > 4 * CAP_HEIGHT
            or mask.shape[0] > 3 * CAP_HEIGHT
            or _identity(mask) in missing
        ):
            if character == "E" and not drawn.keys() & {*"ABCD"}:
                return None  # not a Latin face: skip the rest
            continue
        drawn[character] = mask
    # Placeholders such as boxes: the same picture for four or more letters or digits (I, l and 1 may share one).
    pictures = Counter(_identity(g) for c, g in drawn.items() if c.isalnum())
    drawable = {c: g for c, g in drawn.items() if pictures[_identity(g)] < 4}
    shapes = {c: _shape(g) for c, g in drawable.items() if not c.isdigit()}
    # A small-caps or capitals-only face draws 'a' with the shape of 'A'; letters alike in both cases prove nothing.
    pairs = [c for c in "abdefghijlmnqrty" if c in shapes and c.upper() in shapes]
    same = sum(float(shapes[c][:-1] @ shapes[c.upper()][:-1]) > 0.85 for c in pairs)
    if pairs and same > len(pairs) / 2:
        drawable = {c: g for c, g in drawable.items() if not c.islower()}
        shapes = {c: s for c, s in shapes.items() if not c.islower()}
    if len({_identity(g) for c, g in drawable.items() if c in string.ascii_uppercase}) < 24:
        return None
    bare = {c: drawn.get(unicodedata.normalize("NFD", c)[0]) for c in LETTERS}
    accented = "".join(c for c in LETTERS if _is_own(ink(font, c)[0], bare[c], missing))
    signs = {c: mask for c in SIGNS if (mask := ink(font, c)[0]) is not None and _identity(mask) not in missing}
    shapes |= {c: _shape(mask) for c, mask in signs.items()}
    mono = len({round(font.getlength(c)) for c in "iMl0."}) == 1
    own = "".join(c for c in drawable if c.isalnum())
    return replace(face, characters=own + accented, mono=mono), shapes


def _missing(font: ImageFont.FreeTypeFont) -> set[bytes]:
    """What a font draws for characters that it does not have."""
    return {b"", *(_identity(ink(font, c)[0]) for c in _NO_GLYPH)}


def _is_own(mask: NDArray[np.uint8] | None, bare: NDArray[np.uint8] | None, missing: set[bytes]) -> bool:
    """Whether a face draws an accented letter itself, and not the `bare` one instead, or only the accents."""
    if mask is None or _identity(mask) in missing:
        return False
    return bare is None or (_identity(bare) != _identity(mask) and mask.sum() > 0.85 * bare.sum())


def _identity(mask: NDArray[np.uint8] | None) -> bytes:
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


def _judged(faces: Sequence[tuple[Face, dict[str, _Shape]]]) -> tuple[Face, ...]:
    """The faces whose letters look like letters, each with the signs that look as they usually do."""
    if len(faces) >= 20:  # fewer do not say what letters usually look like
        letters = string.ascii_letters
        means = np.stack([np.mean([s[c] for _, s in faces if c in s], axis=0, dtype=np.float32) for c in letters])
        scored = [(replace(face, score=_score(shapes, means)), shapes) for face, shapes in faces]
        faces = [(face, shapes) for face, shapes in scored if face.score >= _MIN_SCORE]
    signs = [c for c in string.punctuation + SIGNS if sum(c in shapes for _, shapes in faces) >= 5]
    usual = {c: np.median([s[c] for _, s in faces if c in s], axis=0).astype(np.float32) for c in signs}

    def own(shapes: dict[str, _Shape]) -> str:
        return "".join(c for c, one in shapes.items() if c not in string.ascii_letters and _is_usual(one, usual.get(c)))

    return tuple(replace(face, characters=face.characters + own(shapes)) for face, shapes in faces)


def _score(shapes: dict[str, _Shape], means: NDArray[np.float32]) -> float:
    """The share of letters that are most like the mean of their own letter, in either case."""
    own = [c for c in string.ascii_letters if c in shapes]
    nearest = np.argmax(np.stack([shapes[c] for c in own]).astype(np.float32) @ means.T, axis=1)
    right = [string.ascii_letters[n].lower() == c.lower() for n, c in zip(nearest, own, strict=True)]
    return round(float(np.mean(right)), 3)


def _is_usual(one: _Shape, mean: NDArray[np.float32] | None) -> bool:
    if mean is None:  # too few faces to know what it usually looks like
        return True
    a, b = one[:-1].astype(np.float32), mean[:-1]
    # A dot or a stroke fills its square, so only its aspect ratio can be compared.
    flat = float(np.linalg.norm(a)) * float(np.linalg.norm(b)) < 0.1
    near = abs(float(one[-1] - mean[-1])) < 0.5
    return near if flat else float(a @ b) > _LEAST_CORRELATION * float(np.linalg.norm(b))


def font_index(
    folders: Sequence[str | Path] | None = None, watch: Callable[[Sequence[Path]], Iterable[Path]] = iter
) -> tuple[Face, ...]:
    """The usable faces below `folders` (default: the system's), sorted by path; at least Pillow's own font.

    Left out are files that FreeType cannot open, symbol fonts, faces without capitals, and exact copies of other faces.
    The result is cached in the user's cache folder, keyed by all paths, sizes and times. Without the cache, inspecting
    2,000 files takes 50 s; `watch` may wrap the files, for instance in a progress bar.

    Raises:
        DataError: a requested folder does not exist or has no usable font.
    """
    faces = indexed(folders, [_INDEX_VERSION, CAP_HEIGHT], lambda paths: _build(watch(paths)))
    if not faces and folders is not None:
        raise DataError(f"{', '.join(map(str, folders))}: no usable font: give a folder with .ttf or .otf files")
    if faces:
        return faces
    if (fallback := _inspect(Path(), 0)) is None:  # Pillow's own
        raise DataError("no font found: give a folder with --fonts")
    return _judged([fallback])


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
            key = b"".join(one.tobytes() for c, one in entry[1].items() if c in string.ascii_letters)
            if key not in seen:
                seen.add(key)
                family = "".join(c for c in path.stem.split("-")[0].lower() if c.isalpha())[:12]
                faces.append((replace(entry[0], family=family), entry[1]))
    return _judged(faces)


def covering(faces: Iterable[Face], characters: Iterable[str]) -> Iterator[Face]:
    """The faces, with those of the further `characters` that each can draw. About 5 ms per face."""
    wanted = sorted(set(characters))
    for face in faces:
        font = open_font(face)
        missing = _missing(font)
        new = (c for c in wanted if c not in face.characters)
        own = "".join(c for c in new if _identity(ink(font, c)[0]) not in missing)
        yield replace(face, characters=face.characters + own)
