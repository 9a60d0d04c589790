"""One HTML file that needs nothing else: the picture, an outline over each word, the text beside it, and a search."""

import base64
import io
import itertools
from pathlib import Path

from wordsight.errors import WordsightError
from wordsight.export.drawing import COLOURS, grade, the_picture
from wordsight.export.format import Format, attribute, content, title
from wordsight.imaging import Source
from wordsight.results import Photo, Word

_LONGEST = 1600  # pixels of an embedded picture's long side: sharp on a screen, a few hundred kB

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "html.css").read_text(encoding="utf-8") + "".join(
    f".wordsight .{name} {{ stroke: rgb{colour}; border-color: rgb{colour}; }}\n" for name, _, colour in COLOURS
)

_HEAD = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="wordsight">
<title>wordsight</title>
<style>
body {{ margin: 1em; }}
form {{ position: sticky; top: 0; padding: .5em 0; font-family: system-ui, sans-serif; background: #fff; }}
{_STYLE}</style>
</head>
<body>
<form role="search"><label>Find <input type="search"></label> <output></output></form>
"""

_TAIL = f"<script>\n{(_FOLDER / 'html.js').read_text(encoding='utf-8')}</script>\n</body>\n</html>\n"


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    return f'<section class="wordsight">\n<h2>{content(title(photo))}</h2>\n{_overlay(photo, image)}</section>\n'


def fragment(photo: Photo) -> str:
    """For a notebook: the picture (where its file is there) with what was read in it."""
    return f'<style>{_STYLE}</style><div class="wordsight">\n{_overlay(photo, None)}</div>'


def _overlay(photo: Photo, image: Source | None) -> str:
    shapes = "".join(_shape(word, number) for number, word in enumerate(photo.words, 1) if word.polygon)
    numbers = itertools.count(1)
    lines = "".join(
        "<li>" + " ".join(_text(word, next(numbers)) for word in line.words) + "</li>\n" for line in photo.lines
    )
    return (
        f'<svg viewBox="0 0 {photo.width} {photo.height}" width="{photo.width}" role="img" '
        f'aria-label="{attribute(title(photo))}">\n{_embedded(photo, image)}{shapes}</svg>\n'
        + (f"<ol>\n{lines}</ol>\n" if lines else "<p>no text found</p>\n")
    )


def _shape(word: Word, number: int) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in word.polygon)
    return (
        f'<polygon data-word="{number}" class="{grade(word)}" points="{points}"><title>{_tip(word)}</title></polygon>\n'
    )


def _text(word: Word, number: int) -> str:
    return f'<span data-word="{number}" class="{grade(word)}" title="{_tip(word)}">{content(word.text)}</span>'


def _tip(word: Word) -> str:
    return attribute(f"{word.text} {round(100 * word.confidence)} %")


def _embedded(photo: Photo, image: Source | None) -> str:
    """The picture, or nothing if it is not available: the outlines are then on a plain background."""
    try:
        picture = the_picture(photo, image)
    except WordsightError:
        return ""
    picture.thumbnail((_LONGEST, _LONGEST))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    address = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
    return f'<image href="{address}" width="{photo.width}" height="{photo.height}"/>\n'


FORMAT = Format(_item, head=_HEAD, tail=_TAIL)
