"""hOCR, specification 1.2 (https://kba.github.io/hocr-spec/1.2/)."""

import math

from wordsight import __version__
from wordsight.export.format import Format, attribute, baseline, content, pixel_box, pixel_points
from wordsight.imaging import Source
from wordsight.results import Line, Photo, Polygon

_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
<head>
<title>wordsight</title>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<meta name="ocr-system" content="wordsight {__version__}"/>
<meta name="ocr-capabilities" content="ocr_page ocr_par ocr_line ocrx_word"/>
</head>
<body>
"""


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    # In hOCR a string inside a property is quoted, with backslashes before quotes and backslashes.
    source = '"' + photo.source.replace("\\", "\\\\").replace('"', '\\"') + '"'
    page = f"image {source}; bbox 0 0 {photo.width} {photo.height}; ppageno {number - 1}"
    out = [f'<div class="ocr_page" id="page_{number}" title="{attribute(page)}">\n']
    if photo.lines:  # readers of hOCR, OCRmyPDF for one, look for lines in paragraphs alone
        outline = tuple(point for line in photo.lines for point in line.polygon)
        out.append(f'<p class="ocr_par" id="par_{number}" title="{_bbox(outline, photo)}">\n')
    for i, line in enumerate(photo.lines, 1):
        out.append(f'<span class="ocr_line" id="line_{number}_{i}" title="{_line_properties(line, photo)}">')
        words = []
        for j, word in enumerate(line.words, 1):
            title = f"{_place(word.polygon, photo)}; x_wconf {round(100 * word.confidence)}"
            identity = f"word_{number}_{i}_{j}"
            words.append(f'<span class="ocrx_word" id="{identity}" title="{title}">{content(word.text)}</span>')
        out.append(" ".join(words) + "</span>\n")
    return "".join(out) + ("</p>\n" if photo.lines else "") + "</div>\n"


def _line_properties(line: Line, photo: Photo) -> str:
    """Where it is, and where the text runs: `baseline` (slope, offset) if it is near level, else `textangle`.

    That of curved text is parallel to the chord of its lower edge, and as near to the edge as a straight line can be.
    """
    box = _place(line.polygon, photo)
    lower = baseline(line.polygon)
    (x0, y0), (x1, y1) = lower[0], lower[-1]
    left, _, _, bottom = pixel_box(line.polygon, photo)
    angle = math.degrees(math.atan2(y0 - y1, x1 - x0))  # counter-clockwise, as hOCR wants it
    if abs(angle) > 45:
        return f"{box}; textangle {angle:.1f}"
    slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
    at_left = sum(y - slope * (x - left) for x, y in lower) / len(lower)
    return f"{box}; baseline {slope:.3f} {at_left - bottom:.1f}"


def _place(polygon: Polygon, photo: Photo) -> str:
    """The box, and around curved text its outline."""
    outline = "; poly " + pixel_points(polygon, photo).replace(",", " ") if len(polygon) > 4 else ""
    return _bbox(polygon, photo) + outline


def _bbox(polygon: Polygon, photo: Photo) -> str:
    return "bbox " + " ".join(map(str, pixel_box(polygon, photo)))


FORMAT = Format(_item, head=_HEAD, tail="</body>\n</html>\n")
