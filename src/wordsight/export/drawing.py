"""Results drawn over their picture, legible on any background: outlines coloured by confidence, and the texts.

A text is placed beside its word if it covers nothing, else further away with a leader line, else (in a crowd) as
a number that a list under the picture explains.
"""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageShow

from wordsight.errors import ConfigError, ImageError
from wordsight.imaging import DPI, Source, open_pages
from wordsight.results import Photo, Polygon, Word, bounds

COLOURS = (("sure", 0.9, (0, 158, 115)), ("doubtful", 0.5, (230, 159, 0)), ("guess", 0.0, (213, 94, 0)))
"""Grades of confidence, the least confidence of each, and their colours: Okabe and Ito's, which colour-blind people can
tell apart."""

_LEGEND = (("90 % and more", COLOURS[0][2]), ("50 to 90 %", COLOURS[1][2]), ("below 50 %", COLOURS[2][2]))
_PLATE, _INK = (24, 24, 24), (255, 255, 255)

# Pillow's own font has only the printable ASCII characters; for other texts these are looked for.
_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf")

_Box = tuple[float, float, float, float]
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Label:
    """Where the text of a word stands.

    Attributes:
        word: the word.
        text: what is written.
        box: left, top, right and bottom of its plate in pixels.
        size: of the letters, in pixels.
        away: whether it is not beside its word, so that a line leads there.
        number: the number in the picture that refers to the list below it; None if the text itself is there.
    """

    word: Word
    text: str
    box: _Box
    size: float
    away: bool = False
    number: int | None = None


def draw(photo: Photo, image: Source | None = None, *, beside: bool = False) -> Image.Image:
    """A copy of the picture with every word outlined and its text written.

    Green is 90 % and more, orange 50 % and more, red below, as a legend says; below 90 % the text is followed by its
    confidence. Pillow's built-in font is used, and one of the system's for letters that it lacks; nothing is
    downloaded.

    Args:
        photo: what was read.
        image: the picture that was read. None: the file that `photo.source` names.
        beside: the picture with outlines alone, and to the right of it a pale copy with the texts in their places.

    Returns:
        RGB, as large as the picture; twice as wide with `beside`, higher if some texts only find room below.

    Raises:
        ImageError: the image cannot be read, or is not as large as the one that was read.
    """
    picture = the_picture(photo, image)
    words = [word for word in photo.words if word.polygon]
    placed = [] if beside else labels(photo)
    original = picture.copy() if beside else picture
    pen = ImageDraw.Draw(picture)
    stroke = max(2, round(max(picture.size) / 500))
    for word in words:
        ring = [*word.polygon, word.polygon[0], word.polygon[1]]  # one side more, so that the first corner is joined
        thin = max(1, min(stroke, round(_height(word) / 12)))  # or it would hide small letters
        # A dark line under the coloured one shows on bright, dark and like-coloured backgrounds.
        pen.line(ring, fill=_PLATE, width=thin + 2, joint="curve")
        pen.line(ring, fill=_grade(word)[2], width=thin, joint="curve")
    for label in placed:
        if label.away:
            _leader(pen, label, stroke)
    for label in placed:
        text = label.text if label.number is None else str(label.number)
        _plate(pen, label.box, text, label.size, _grade(label.word)[2])
    if words:
        _legend(pen, picture.size, [bounds(word.polygon) for word in words] + [label.box for label in placed])
    if beside:
        return _side_by_side(picture, original, words)
    return _with_list(picture, [label for label in placed if label.number is not None])


def show(picture: Image.Image) -> None:
    """Opens a picture in the system's viewer, or in the notebook that this runs in.

    Raises:
        ConfigError: there is no screen or no viewer.
    """
    if "IPython" in sys.modules and hasattr(sys.modules["IPython"].get_ipython(), "kernel"):
        from IPython import display

        display.display(picture)  # type: ignore[no-untyped-call]
    elif not sys.platform.startswith("linux"):
        ImageShow.show(picture)
    else:
        screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if not (screen and _opened(picture)):
            what = "no image viewer was found" if screen else "there is no screen"
            raise ConfigError(f"{what}: write the drawing to a file instead, photo.save('drawn.png')")


def _opened(picture: Image.Image) -> bool:
    """Whether xdg-open found a viewer; it may run for as long as that is open. What it prints is of no use here."""
    with tempfile.NamedTemporaryFile(suffix=".png", delete=False) as file:  # the viewer may read it much later
        picture.save(file, "PNG")
    try:
        viewer = subprocess.Popen(  # noqa: S603
            ["xdg-open", file.name],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return viewer.wait(timeout=3) == 0
    except FileNotFoundError:
        return False
    except subprocess.TimeoutExpired:
        return True


def the_picture(photo: Photo, image: Source | None) -> Image.Image:
    """The upright picture that a photo was read from; `image` None: from the file that `photo.source` names.

    Raises:
        ImageError: it cannot be read, or has another size.
    """
    if image is None:
        if not Path(photo.source).is_file():
            raise ImageError(f"{photo.source} is not available to draw on: pass the picture that was read")
        image = photo.source
    pixels = _pixels(photo, image, DPI)
    if pixels.shape[1] != photo.width:  # the page of a PDF that was drawn at another scale, perhaps
        pixels = _pixels(photo, image, max(1, min(round(DPI * photo.width / pixels.shape[1]), 2400)))
    height, width = pixels.shape[:2]
    if (width, height) != (photo.width, photo.height):
        raise ImageError(
            f"{photo.source}: the picture has {width} x {height} pixels, the results are for one of "
            f"{photo.width} x {photo.height}: pass the picture that was read"
        )
    return Image.fromarray(np.array(pixels))


def _pixels(photo: Photo, image: Source, dpi: float) -> NDArray[np.uint8]:
    with open_pages(image, name=photo.source, dpi=dpi) as pages:
        return pages.page(photo.page if photo.page and len(pages) > 1 else 1).pixels


def grade(word: Word) -> str:
    """The name in `COLOURS` of how sure a word is."""
    return _grade(word)[0]


def _grade(word: Word) -> tuple[str, float, tuple[int, int, int]]:
    return next(each for each in COLOURS if word.confidence >= each[1])


def labels(photo: Photo) -> list[Label]:
    """The texts of a photo's words, placed so that they cover neither words nor each other."""
    size = (photo.width, photo.height)
    words = [word for word in photo.words if word.polygon]
    taken = [bounds(word.polygon) for word in words]
    placed: dict[int, Label] = {}
    for candidates in (_places, _rings):  # who finds room beside it comes first
        for k, word in enumerate(words):
            if k in placed:
                continue
            letters, text = _font_size(word, size), _said(word)
            away = candidates is _rings
            boxes = list(candidates(word.polygon, *_plate_size(text, letters)))
            for box in (boxes[i] for i in np.flatnonzero(_are_free(boxes, size, taken))):
                if not (away and _crosses(_lead(word.polygon, box), [*taken[:k], *taken[k + 1 :]])):
                    taken.append(box)
                    placed[k] = Label(word, text, box, letters, away)
                    break
    for k, word in enumerate(words):
        if k not in placed:
            letters = 0.75 * _font_size(word, size)
            wide, high = _plate_size(str(k + 1), letters)
            left, top, _, _ = bounds(word.polygon)
            corner = (left - wide / 2, top - high / 2, left + wide / 2, top + high / 2)  # half of it beside the letters
            boxes = [_inside(box, size) for box in (*_places(word.polygon, wide, high), corner)]
            box = boxes[int(np.argmin(_covered(boxes, taken)))]
            taken.append(box)
            placed[k] = Label(word, _said(word), box, letters, number=k + 1)
    return [placed[k] for k in range(len(words))]


def _said(word: Word) -> str:
    sure = "" if word.confidence >= COLOURS[0][1] else f" ({round(100 * word.confidence)} %)"
    return f"{word.text or '(no text)'}{sure}"


def _places(polygon: Polygon, wide: float, high: float) -> Iterator[_Box]:
    """Beside the word, best first: above, below, to the right, to the left, each at its beginning, end and middle."""
    left, top, right, bottom = bounds(polygon)
    gap = max(1.0, high / 10)
    columns, rows = (left, right - wide, (left + right - wide) / 2), ((top + bottom - high) / 2, top, bottom - high)
    for y in (top - high - gap, bottom + gap):
        yield from ((x, y, x + wide, y + high) for x in columns)
    for x in (right + gap, left - wide - gap):
        yield from ((x, y, x + wide, y + high) for y in rows)


def _rings(polygon: Polygon, wide: float, high: float) -> Iterator[_Box]:
    """Ever further away from the word, all round it: up to four lines of text."""
    left, top, right, bottom = bounds(polygon)
    for step in range(1, 5):
        reach = 1.2 * step * high
        for k in range(16):
            angle = 2 * math.pi * k / 16
            x = (left + right - wide) / 2 + math.cos(angle) * ((right - left + wide) / 2 + reach)
            y = (top + bottom - high) / 2 + math.sin(angle) * ((bottom - top + high) / 2 + reach)
            yield x, y, x + wide, y + high


def _are_free(boxes: Sequence[_Box], size: tuple[int, int], taken: Sequence[_Box]) -> NDArray[np.bool_]:
    """Which boxes are inside the picture and overlap none that is taken."""
    left, top, right, bottom = np.asarray(boxes).T
    inside = (left >= 0) & (top >= 0) & (right < size[0]) & (bottom < size[1])
    x0, y0, x1, y1 = np.asarray(taken).T[:, :, None]
    covers = (left < x1) & (x0 < right) & (top < y1) & (y0 < bottom)
    return np.asarray(inside & ~covers.any(axis=0))


def _font_size(word: Word, size: tuple[int, int]) -> float:
    """Near the word's own height, but readable: 1/70 to 1/40 of the picture's long side and 11 px at least."""
    longest = max(size)
    return max(11.0, min(max(0.6 * _height(word), longest / 70), longest / 40))


def _height(word: Word) -> float:
    return math.dist(word.polygon[0], word.polygon[-1])


def _plate_size(text: str, letters: float) -> tuple[float, float]:
    """Width and height. The height is that of a line, whatever its letters, so that plates look alike."""
    return _font(letters, text).getlength(text) + 0.6 * letters, 1.35 * letters


def _plate(pen: ImageDraw.ImageDraw, box: _Box, text: str, letters: float, colour: tuple[int, int, int]) -> None:
    pen.rounded_rectangle(box, radius=letters / 5, fill=_PLATE, outline=colour, width=max(1, round(letters / 14)))
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    pen.text(middle, text, font=_font(letters, text), fill=_INK, anchor="mm")


def _lead(polygon: Polygon, box: _Box) -> Polygon:
    """A line from the nearest point of a word's outline to the nearest one of a plate."""
    x0, y0, x1, y1 = box
    ends = [(x, y) for x in (x0, (x0 + x1) / 2, x1) for y in (y0, (y0 + y1) / 2, y1)]
    sides = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    starts = [*polygon, *(((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in sides)]
    return min(((start, end) for start in starts for end in ends), key=lambda pair: math.dist(*pair))


def _crosses(line: Polygon, boxes: Sequence[_Box]) -> bool:
    """Whether a line goes through a box, by points along it."""
    start, end = line
    x, y = np.linspace(np.array(start), np.array(end), max(3, round(math.dist(start, end) / 3))).T
    x0, y0, x1, y1 = np.asarray(boxes).reshape(-1, 4).T[:, :, None]
    return bool(((x0 < x) & (x < x1) & (y0 < y) & (y < y1)).any())


def _leader(pen: ImageDraw.ImageDraw, label: Label, stroke: int) -> None:
    line = _lead(label.word.polygon, label.box)
    pen.line(line, fill=_PLATE, width=stroke + 1)
    pen.line(line, fill=_grade(label.word)[2], width=max(1, stroke - 1))


def _legend(pen: ImageDraw.ImageDraw, size: tuple[int, int], taken: Sequence[_Box]) -> None:
    """What the colours mean, in the corner where it covers least; not in pictures that are too small for it."""
    letters = max(11.0, max(size) / 75)
    wide, high = (max(_plate_size(text, letters)[0] for text, _ in _LEGEND) + 1.4 * letters, 1.35 * letters * 3)
    if wide > 0.5 * size[0] or high > 0.4 * size[1]:
        return
    gap = letters / 2
    right, bottom = size[0] - wide - gap, size[1] - high - gap
    corners = [(x, y, x + wide, y + high) for x, y in ((gap, bottom), (right, bottom), (right, gap), (gap, gap))]
    covered = _covered(corners, taken)
    if covered.min() > 0:
        return
    box = corners[int(covered.argmin())]
    pen.rounded_rectangle(box, radius=letters / 5, fill=_PLATE)
    for row, (text, colour) in enumerate(_LEGEND):
        y = box[1] + 1.35 * letters * (row + 0.5)
        x = box[0] + 0.4 * letters
        pen.rectangle((x, y - 0.35 * letters, x + 0.8 * letters, y + 0.35 * letters), fill=colour)
        pen.text((x + 1.2 * letters, y), text, font=_font(letters, text), fill=_INK, anchor="lm")


def _with_list(picture: Image.Image, numbered: Sequence[Label]) -> Image.Image:
    """The picture, and under it in columns the texts of its numbers."""
    if not numbered:
        return picture
    letters = max(13.0, max(picture.size) / 70)
    texts = [f"{label.number}  {label.text}" for label in numbered]
    column = max(_font(letters, text).getlength(text) for text in texts) + 2 * letters
    columns = max(1, int(picture.width // column))
    rows = math.ceil(len(texts) / columns)
    whole = Image.new("RGB", (picture.width, math.ceil(picture.height + (rows + 0.6) * 1.5 * letters)), _PLATE)
    whole.paste(picture)
    pen = ImageDraw.Draw(whole)
    for k, (text, label) in enumerate(zip(texts, numbered, strict=True)):
        place = (letters + k // rows * column, picture.height + (k % rows + 0.8) * 1.5 * letters)
        pen.text(place, text, font=_font(letters, text), fill=_grade(label.word)[2], anchor="lm")
    return whole


def _side_by_side(outlined: Image.Image, original: Image.Image, words: Sequence[Word]) -> Image.Image:
    """At the right a pale copy of the picture with each text in the place, size and slope of its word."""
    pale = Image.blend(original, Image.new("RGB", original.size, "white"), 0.85)
    pen = ImageDraw.Draw(pale)
    for word in words:
        pen.polygon(word.polygon, fill="white")  # or the photo's own letters would shine through
    for word in words:
        (x0, y0), (x1, y1) = word.polygon[0], word.polygon[len(word.polygon) // 2 - 1]
        wide = math.dist((x0, y0), (x1, y1))
        high = _height(word)
        if not word.text or wide < 1 or high < 1:
            continue
        font = _font(64, word.text)
        left, _, right, _ = font.getbbox(word.text, anchor="ls")
        mask = Image.new("L", (max(1, math.ceil(right - left)), 80))
        ImageDraw.Draw(mask).text((-left, 62), word.text, font=font, fill=255, anchor="ls")
        scale = min(wide / mask.width, 1.25 * high / mask.height)  # the plate has room for tails, which few texts have
        mask = mask.resize((max(1, round(mask.width * scale)), max(1, round(mask.height * scale))))
        mask = mask.rotate(math.degrees(math.atan2(y0 - y1, x1 - x0)), Image.Resampling.BICUBIC, expand=True)
        left, top, right, bottom = bounds(word.polygon)
        corner = (round((left + right - mask.width) / 2), round((top + bottom - mask.height) / 2))
        dark = tuple(round(0.7 * value) for value in _grade(word)[2])
        pale.paste(dark, corner, mask)
    both = Image.new("RGB", (2 * outlined.width, outlined.height))
    both.paste(outlined)
    both.paste(pale, (outlined.width, 0))
    return both


def _font(letters: float, text: str) -> _Font:
    name = None if text.isascii() else _font_file()
    return _loaded(name, round(letters, 1))


@cache
def _loaded(name: str | None, letters: float) -> _Font:
    return ImageFont.load_default(letters) if name is None else ImageFont.truetype(name, letters)


@cache
def _font_file() -> str | None:
    for name in _FONTS:
        try:
            ImageFont.truetype(name, 12)
        except OSError:
            continue
        return name
    return None


def _inside(box: _Box, size: tuple[int, int]) -> _Box:
    wide, high = box[2] - box[0], box[3] - box[1]
    x = max(0.0, min(box[0], size[0] - wide - 1))
    y = max(0.0, min(box[1], size[1] - high - 1))
    return x, y, x + wide, y + high


def _covered(boxes: Sequence[_Box], taken: Sequence[_Box]) -> NDArray[np.float64]:
    """How many square pixels of what is taken each box covers."""
    left, top, right, bottom = np.asarray(boxes).T
    x0, y0, x1, y1 = np.asarray(taken).T[:, :, None]
    wide = np.minimum(right, x1) - np.maximum(left, x0)
    high = np.minimum(bottom, y1) - np.maximum(top, y0)
    return np.asarray((np.maximum(wide, 0) * np.maximum(high, 0)).sum(axis=0))
