"""Texts strewn over photographs, straight and bent, and printed pages: what a detector of words is trained on."""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from wordsight.synth.background import Color, contrasting, limit, near, random_color
from wordsight.synth.dots_and_segments import set_dots, set_segments
from wordsight.synth.faces import FontBook, select_faces
from wordsight.synth.fonts import CAP_HEIGHT, font_index
from wordsight.synth.geometry import curled, straightened
from wordsight.synth.kinds import Texts
from wordsight.synth.languages import check_installed
from wordsight.synth.patterns import pattern
from wordsight.synth.setting import Line, set_line

Polygon = NDArray[np.float64]
_Floats = NDArray[np.float32]

_SHARES = {
    "words": 0.26, "signs": 0.22, "lines": 0.12, "accented": 0.05, "accented_lines": 0.04, "long": 0.03,
    "numbers": 0.06, "prices": 0.05, "dates": 0.02, "times": 0.02, "units": 0.02, "serials": 0.02, "phones": 0.02,
    "emails": 0.01, "urls": 0.02, "displays": 0.04, "stamps": 0.06,
}  # fmt: skip
_CAPITALS = (7.0, 80.0)  # pixels: heights of letters on photographs
_PRINT = (8.0, 26.0)  # and on pages
_BENT = 0.35  # of the texts
_PLATED = 0.4  # of them stand on a plate of their own
_TOGETHER = 0.15  # of them bring others of their kind, below them or beside them: notices, stamps, tags of prices
_CONTRAST = 55  # grey levels between letters and what they stand on, at least
_MARGIN = 0.06  # of a word's height, around its ink
_PATTERNS = 0.05  # of what is strewn: grids of figures that are no text
_CHORD = 0.17  # radians from point to point of a bent outline, which is then nowhere 0.4 % of its radius off


class StrewnText(NamedTuple):
    """A text on a picture: its outline and its words with theirs.

    Polygons are (2 K, 2) pixels and begin at the top left: K points along the top, K back along the bottom.
    """

    polygon: Polygon
    words: list[tuple[str, Polygon]]


class Strewn:
    """Draws texts onto pictures, and says where their words are.

    Args:
        fonts: folders; None: the system's.
        words: lists of words, see `vocabulary.load_words`.
        held_out: set in the faces that are kept for tests, instead of in the others; None: in all.
        bent: share of the texts on photographs that run along an arc.
        capitals: smallest and largest height of their capitals, in pixels.

    Raises:
        ConfigError: `wordfreq` is not installed.
        DataError: a folder or list is missing or useless.
    """

    def __init__(
        self,
        fonts: Sequence[str | Path] | None = None,
        words: Sequence[str | Path] = (),
        held_out: bool | None = False,
        bent: float = _BENT,
        capitals: tuple[float, float] = _CAPITALS,
    ) -> None:
        check_installed()
        self._book = FontBook(select_faces(font_index(fonts), held_out))
        self._texts = Texts(words)
        self._bent, self._capitals = bent, capitals

    def over(
        self, rng: random.Random, picture: NDArray[np.uint8], taken: Sequence[Polygon], most: int = 8
    ) -> tuple[NDArray[np.uint8], list[StrewnText]]:
        """A picture (H, W, 3) with up to `most` texts in places that are not `taken`, and these texts."""
        height, width = picture.shape[:2]
        picture, full = picture.copy(), np.zeros((height, width), np.uint8)
        for polygon in taken:
            cv2.fillPoly(full, [np.round(polygon).astype(np.int32)], 1)
        texts: list[StrewnText] = []
        for _ in range(rng.randint(1, most)):
            if rng.random() < _TOGETHER:
                texts += self._together(rng, picture, full)
                continue
            text = _Text(pattern(rng), []) if rng.random() < _PATTERNS else self._set(rng, *self._drawn(rng))
            if text is None:
                continue
            path = self._path(rng, text, min(height, width))
            for _ in range(4):
                path.middle = np.array([rng.uniform(0.08, 0.92) * width, rng.uniform(0.08, 0.92) * height])
                if path.free(full):
                    texts += path.paint(rng, picture, full)
                    break
        return picture, texts

    def _together(self, rng: random.Random, picture: NDArray[np.uint8], full: NDArray[np.uint8]) -> list[StrewnText]:
        """Texts of one kind and size: lines below each other, or tags in a row, each on a plate of its own."""
        height, width = full.shape
        kind, row = self._kind(rng), rng.random() < 0.5
        face, before, texts = None, full.copy(), []
        capitals, turn = math.exp(rng.uniform(*map(math.log, (10.0, 36.0)))), rng.gauss(0, 0.06)
        place = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height])
        apart = rng.uniform(1.1 if row else 1.5, 2.6)  # capitals, from text to text, or from baseline to baseline
        for k in range(rng.randint(2, 5)):
            text, manner = self._drawn(rng, kind)
            if face is None and manner in ("any", "plain"):
                face = self._book.pick(rng, text, manner)
            set_ = self._set(rng, text, manner, face)
            if set_ is None:
                continue
            path = _Path(set_, capitals, turn, 0.0)
            if row:  # its left end stands where the last one's right end was
                half = path.linear @ np.array([path.width / 2 + apart * capitals / 2, 0.0])
                path.middle, place = place + half, place + 2 * half
            else:
                path.middle = place + path.linear @ np.array([0.0, k * apart * capitals])
            if path.free(before):
                texts += path.paint(rng, picture, full, plated=float(row))
        return texts

    def page(self, rng: random.Random, height: int, width: int) -> tuple[NDArray[np.uint8], list[StrewnText]]:
        """A printed page or a receipt, or a part of it, seen slightly askew: a picture (H, W, 3) and its lines."""
        paper = random_color(rng) if rng.random() < 0.15 else near(rng, (236, 232, 226), 12)
        ramp = np.linspace(rng.uniform(-14, 14), rng.uniform(-14, 14), width)[None, :, None]
        picture = np.clip(np.full((height, width, 3), paper, np.float32) + ramp, 0, 255).astype(np.uint8)
        capitals = math.exp(rng.uniform(*map(math.log, _PRINT)))
        receipt, leading = rng.random() < 0.35, rng.uniform(1.7, 3.2)
        columns = 1 if receipt or rng.random() < 0.6 else 2
        ink = contrasting(rng, paper, _CONTRAST)
        turn, middle = rng.gauss(0, 0.025), np.array([width / 2, height / 2])
        left, right = (rng.uniform(-0.05, 0.15) * width for _ in range(2))
        wide = (width - left - right) / columns
        texts: list[StrewnText] = []
        manner, full = "mono" if receipt and rng.random() < 0.6 else "plain", np.zeros((height, width), np.uint8)
        face = self._book.pick(rng, "aegiklt0189.:-", manner)
        y = rng.uniform(-1, 4) * capitals
        while y < height + capitals:
            for column in range(columns):
                room = wide - capitals * 3 * (columns > 1)
                start = left + column * wide
                parts = [(0.0, self._running(rng, room / capitals))]
                if receipt:
                    item, price = self._texts.bought(rng)
                    parts = [(0.0, item), (1.0, price)]
                for place, text in parts:
                    set_ = self._set(rng, text, manner, face)
                    if set_ is None:
                        continue
                    path = _Path(set_, capitals, turn, 0.0)
                    x = start + path.width / 2 + place * (room - path.width)
                    offset = np.array([x, y]) - middle
                    path.middle = middle + path.linear @ offset
                    texts += path.paint(rng, picture, full, ink)
            y += leading * capitals * (2 if rng.random() < 0.08 else 1)
        return picture, texts

    def _running(self, rng: random.Random, room: float) -> str:
        """Words up to a line of `room` heights of capitals."""
        text = self._texts.line(rng)
        while len(text) < 1.1 * room:
            text += " " + self._texts.line(rng)
        keep = int(1.1 * room * (1 if rng.random() < 0.75 else rng.random()))
        return text[:keep].rsplit(" ", 1)[0]

    def _kind(self, rng: random.Random) -> str:
        return rng.choices(list(_SHARES), list(_SHARES.values()))[0]

    def _drawn(self, rng: random.Random, kind: str | None = None) -> tuple[str, str]:
        """A text and the manner in which it is set."""
        kind = kind or self._kind(rng)
        text = self._texts.draw(rng, kind)
        manner = {"displays": "segments", "stamps": "dots"}.get(kind) or rng.choices(("any", "plain"), (1, 2))[0]
        return text, manner

    def _set(self, rng: random.Random, text: str, manner: str, face: int | None = None) -> "_Text | None":
        """The words of a text beside each other on one baseline."""
        if face is None or not self._book.able(text) >> face & 1:
            face = self._book.pick(rng, text, manner if manner in ("any", "plain", "mono") else "plain")
        if face is None:
            return None
        spacing = CAP_HEIGHT * rng.choice((0.0, 0.0, 0.0, rng.uniform(-0.05, 0.5)))
        gap = CAP_HEIGHT * rng.uniform(0.35, 0.9) + spacing
        lines: list[tuple[str, Line]] = []
        for word in text.split():
            line = None
            if manner == "dots":
                line = set_dots(rng, word.upper())
            elif manner == "segments" and (shown := set_segments(rng, word)):
                line = shown.lit
            line = line or set_line(self._book, face, word, spacing)
            if line is not None:
                lines.append((word, line))
        return _Text.beside(lines, round(gap)) if lines else None

    def _path(self, rng: random.Random, text: "_Text", size: int) -> "_Path":
        """Where and how a text runs over a photograph whose shorter side is `size`."""
        low, high = map(math.log, self._capitals)
        capitals = math.exp(rng.uniform(low, high))
        arc = 0.0
        if rng.random() < self._bent and text.mask.shape[1] > 3 * text.mask.shape[0]:
            arc = math.radians(rng.uniform(25, 190)) * rng.choice((-1, 1, 1))
        capitals *= min(1.0, 0.9 * size / (text.mask.shape[1] * capitals / CAP_HEIGHT) * (1.5 if arc else 1.0))
        form = rng.random()
        turn = rng.gauss(0, 0.06) if form < 0.7 else rng.gauss(0, 0.4) if form < 0.94 else rng.uniform(-1.6, 1.6)
        path = _Path(text, max(capitals, self._capitals[0]), turn, arc)
        if rng.random() < 0.4:
            path.linear = path.linear @ np.array([[1.0, rng.gauss(0, 0.15)], [0.0, math.exp(rng.gauss(0, 0.2))]])
        if arc and rng.random() < 0.35:  # around a bottle, or seen at a slant
            path.linear = path.linear @ np.array([[1.0, 0.0], [0.0, rng.uniform(0.45, 0.9)]])
        return path


class _Text(NamedTuple):
    """What is painted: the mask of it all, and its words, each with its box (x0, y0, x1, y1) in the mask."""

    mask: NDArray[np.uint8]
    words: list[tuple[str, tuple[float, float, float, float]]]

    @classmethod
    def beside(cls, lines: Sequence[tuple[str, Line]], gap: int) -> "_Text":
        """Words beside each other."""
        above = max(line.baseline for _, line in lines)
        below = max(line.mask.shape[0] - line.baseline for _, line in lines)
        width = sum(line.mask.shape[1] for _, line in lines) + gap * (len(lines) - 1)
        mask, words = np.zeros((max(1, above + below), width), np.uint8), []
        x = 0
        for word, line in lines:
            high, wide = line.mask.shape
            y = above - line.baseline
            mask[y : y + high, x : x + wide] = line.mask
            edge = _MARGIN * max(high, CAP_HEIGHT)
            words.append((word, (x - edge, y - edge, x + wide + edge, y + high + edge)))
            x += wide + gap
        return cls(mask, words)


class _Path:
    """A way from a text's plane onto a picture: along an arc of `arc` radians (above 0: arched), then turned."""

    def __init__(self, text: _Text, capitals: float, turn: float, arc: float) -> None:
        scale = capitals / CAP_HEIGHT
        shape = max(1, round(text.mask.shape[1] * scale)), max(1, round(text.mask.shape[0] * scale))
        self._mask = cv2.resize(text.mask, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        self._words = [(word, tuple(v * scale for v in box)) for word, box in text.words]
        self._arc, self._capitals = arc, capitals
        self.linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        self.middle = np.zeros(2)

    @property
    def width(self) -> float:
        """Pixels of the text's plane."""
        return float(self._mask.shape[1])

    def _forth(self, points: Polygon) -> Polygon:
        """Points (N, 2) of the plane onto the picture."""
        high, wide = self._mask.shape
        points = points - (wide / 2, high / 2)
        if self._arc:
            points = curled(points, wide / self._arc, (0.0, 0.0))
        return np.asarray(points @ self.linear.T + self.middle, np.float64)

    def _back(self, x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
        """Pixels of the picture to where they lie in the plane."""
        high, wide = self._mask.shape
        inverse = np.linalg.inv(self.linear)
        x, y = x - self.middle[0], y - self.middle[1]
        x, y = inverse[0, 0] * x + inverse[0, 1] * y, inverse[1, 0] * x + inverse[1, 1] * y
        if self._arc:
            x, y = straightened(x, y, wide / self._arc)
        return x + wide / 2, y + high / 2

    def _outline(self, box: tuple[float, ...]) -> Polygon:
        """The polygon on the picture of a box in the plane."""
        x0, y0, x1, y1 = box
        pieces = 2
        if self._arc:
            pieces = max(3, math.ceil(abs(self._arc) * (x1 - x0) / self.width / _CHORD) + 1)
        along = np.linspace(x0, x1, pieces)
        top, bottom = (np.stack([along, np.full(pieces, y)], axis=1) for y in (y0, y1))
        return self._forth(np.vstack([top, bottom[::-1]]))

    def _all(self, edge: float) -> Polygon:
        high, wide = self._mask.shape
        return self._outline((-edge, -edge, wide + edge, high + edge))

    def free(self, full: NDArray[np.uint8]) -> bool:
        """Whether the text lies within the picture, on nothing that is there."""
        around = self._all(0.4 * self._capitals)
        if around.min() < 0 or (around.max(axis=0) >= full.shape[::-1]).any():
            return False
        here = np.zeros_like(full)
        cv2.fillPoly(here, [np.round(around).astype(np.int32)], 1)
        return not (here & full).any()

    def paint(
        self,
        rng: random.Random,
        picture: NDArray[np.uint8],
        full: NDArray[np.uint8],
        ink: Color | None = None,
        plated: float = _PLATED,
    ) -> list[StrewnText]:
        """Paint the text onto a picture, mark its place as full, and give it if it is seen.

        `ink` None: any, at times (`plated`) on a plate of its own.
        """
        around = self._all(0.5 * self._capitals)
        x0, y0 = np.clip(np.floor(around.min(axis=0)).astype(int), 0, full.shape[::-1])
        x1, y1 = np.clip(np.ceil(around.max(axis=0)).astype(int) + 1, 0, full.shape[::-1])
        if x1 <= x0 or y1 <= y0:
            return []
        here = np.s_[y0:y1, x0:x1]
        rows, columns = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        x, y = (v.astype(np.float32) for v in self._back(columns, rows))
        letters = cv2.remap(self._mask, x - 0.5, y - 0.5, cv2.INTER_LINEAR) / np.float32(255)
        part = picture[here].astype(np.float32)
        if ink is None:
            part, ink = self._grounded(rng, part, letters, x, y, plated)
        part = _inked(rng, part, letters, ink, self._capitals)
        picture[here] = np.clip(part, 0, 255).astype(np.uint8)
        cv2.fillPoly(full, [np.round(around).astype(np.int32)], 1)
        inside = [(word, self._outline(box)) for word, box in self._words]
        words = [(word, polygon) for word, polygon in inside if _within(polygon, full.shape)]
        return [StrewnText(self._all(_MARGIN * self._capitals), words)] if words else []

    def _grounded(
        self, rng: random.Random, part: _Floats, letters: _Floats, x: _Floats, y: _Floats, plated: float
    ) -> tuple[_Floats, Color]:
        """The ground, which may get a plate below the text, and a colour for the letters on it."""
        if rng.random() < plated:
            edge, (high, wide) = rng.uniform(0.15, 0.45) * self._capitals, self._mask.shape
            plate = ((x > -edge) & (x < wide + edge) & (y > -edge) & (y < high + edge)).astype(np.float32)[..., None]
            plate *= rng.choice((1.0, 1.0, rng.uniform(0.5, 0.9)))
            color = random_color(rng)
            part = part * (1 - plate) + np.array(color, np.float32) * plate
        weights = letters + 1e-3
        ground = limit(tuple((part * weights[..., None]).sum((0, 1)) / weights.sum()))
        return part, contrasting(rng, ground, _CONTRAST)


def _within(polygon: Polygon, shape: Sequence[int]) -> bool:
    """Whether at least part of a word can be seen."""
    return bool((polygon.max(axis=0) > 0).all() and (polygon.min(axis=0) < shape[1::-1]).all())


def _inked(rng: random.Random, part: _Floats, letters: _Floats, ink: Color, capitals: float) -> _Floats:
    """The letters on their ground, with an outline or a shadow at times, slightly blurred."""
    form = rng.random()
    step = max(1, round(0.06 * capitals))
    if form < 0.12:
        around = cv2.dilate(letters, np.ones((2 * step + 1, 2 * step + 1), np.uint8))[..., None]
        part = part * (1 - around) + np.array(contrasting(rng, ink, _CONTRAST), np.float32) * around
    elif form < 0.22:
        shadow = np.roll(letters, (step, rng.choice((-step, step))), (0, 1))[..., None] * rng.uniform(0.3, 0.9)
        part = part * (1 - shadow)
    blur = rng.choice((0.0, 0.3, rng.uniform(0.3, 0.09 * capitals + 0.4)))
    if blur:
        letters = np.asarray(cv2.GaussianBlur(letters, (0, 0), blur), np.float32)
    letters = letters[..., None] * (1.0 if rng.random() < 0.7 else rng.uniform(0.6, 1.0))
    return np.asarray(part * (1 - letters) + np.array(ink, np.float32) * letters, np.float32)
