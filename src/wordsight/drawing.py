"""Results drawn over their picture: outlines, texts and confidences, legible on any background."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wordsight.errors import ImageError
from wordsight.imaging import load_image
from wordsight.results import Photo, Word, bounds

# Okabe and Ito's palette, which colour-blind people can tell apart: sure, doubtful, guess.
_COLOURS = ((0.9, (0, 158, 115)), (0.5, (230, 159, 0)), (0.0, (213, 94, 0)))

_Box = tuple[float, float, float, float]


def draw(photo: Photo, image: str | Path | bytes | np.ndarray | Image.Image) -> Image.Image:
    """A copy of the picture with every word outlined and labelled `text 97%`.

    Green is 90 % and more, orange 50 % and more, red below. Uses Pillow's built-in font, so that nothing is downloaded.

    Raises:
        ImageError: the image cannot be read, or is not as large as the one that was read.
    """
    pixels = load_image(image, name=photo.source)
    height, width = pixels.shape[:2]
    if (width, height) != (photo.width, photo.height):
        raise ImageError(
            f"{photo.source}: the picture has {width} x {height} pixels, the results are of one with "
            f"{photo.width} x {photo.height}: draw on the picture that was read"
        )
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    stroke = max(1, round(max(picture.size) / 600))
    outlines = [word for word in photo.words if word.polygon]
    for word in outlines:
        ring = [*word.polygon, word.polygon[0]]
        # A black line under the coloured one shows on bright, dark and like-coloured backgrounds.
        pen.line(ring, fill=(0, 0, 0), width=stroke + 2, joint="curve")
        pen.line(ring, fill=_colour(word), width=stroke, joint="curve")
    words = [bounds(word.polygon) for word in outlines]
    labels: list[_Box] = []
    for word in outlines:
        _label(pen, word, picture.size, words, labels)
    return picture


def _label(pen: ImageDraw.ImageDraw, word: Word, size: tuple[int, int], words: list[_Box], labels: list[_Box]) -> None:
    """White text on a dark plate beside the word, if possible where no other label and no word is."""
    text = f"{word.text or '(no text)'} {round(100 * word.confidence)}%"
    left, top, right, bottom = bounds(word.polygon)
    font = ImageFont.load_default(_font_size(word, size))
    x0, y0, x1, y1 = pen.textbbox((0, 0), text, font=font)
    pad = max(2, round((y1 - y0) / 6))
    wide, high = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
    middle = (top + bottom - high) / 2
    places = [(left, top - high), (left, bottom), (right, middle), (left - wide, middle)]
    places += [(right - wide, top - high), (right - wide, bottom), (right, top - high), (right, bottom)]
    places += [(left, bottom + step * high) for step in (1, 2, 3)]
    boxes = [_inside(x, y, wide, high, size) for x, y in places]

    def hidden(box: _Box) -> tuple[int, int]:
        return sum(_overlap(box, label) for label in labels), sum(_overlap(box, other) for other in words)

    box = min(boxes, key=hidden)
    labels.append(box)
    pen.rectangle(box, fill=(20, 20, 20), outline=_colour(word))
    pen.text((box[0] + pad - x0, box[1] + pad - y0), text, font=font, fill=(255, 255, 255))


def _font_size(word: Word, size: tuple[int, int]) -> float:
    """Near the word's own height, but readable: 1/60 to 1/30 of the picture's long side and 11 px at least."""
    points = np.asarray(word.polygon)
    height = float(np.linalg.norm(points[-1] - points[0]))
    longest = max(size)
    return max(11.0, min(max(0.6 * height, longest / 60), longest / 30))


def _inside(x: float, y: float, wide: float, high: float, size: tuple[int, int]) -> _Box:
    x = max(0.0, min(x, size[0] - wide - 1))
    y = max(0.0, min(y, size[1] - high - 1))
    return x, y, x + wide, y + high


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _colour(word: Word) -> tuple[int, int, int]:
    return next(colour for limit, colour in _COLOURS if word.confidence >= limit)
