"""PAGE XML of 2019-07-15, the XML of transcribers: one document per photo.

https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from datetime import UTC, datetime

from wordsight import __version__
from wordsight.export.format import Format, attribute, baseline, content, pixel_points
from wordsight.imaging import Source
from wordsight.results import Line, Photo, Word, bounds

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
"""


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    size = f'imageWidth="{photo.width}" imageHeight="{photo.height}"'
    return f"""<Metadata>
<Creator>wordsight {__version__}</Creator>
<Created>{now}</Created>
<LastChange>{now}</LastChange>
</Metadata>
<Page imageFilename="{attribute(photo.source)}" {size}>
{_region(photo) if photo.lines else ""}</Page>
"""


def _region(photo: Photo) -> str:
    left, top, right, bottom = bounds(tuple(point for line in photo.lines for point in line.polygon))
    outline = pixel_points(((left, top), (right, top), (right, bottom), (left, bottom)), photo)
    lines = "".join(_line(line, f"line_{i}", photo) for i, line in enumerate(photo.lines, 1))
    return f'<TextRegion id="region_1"><Coords points="{outline}"/>\n{lines}{_text(photo.text)}</TextRegion>\n'


def _line(line: Line, identity: str, photo: Photo) -> str:
    base = pixel_points(baseline(line.polygon), photo)
    words = "".join(_word(word, f"{identity}_{j}", photo) for j, word in enumerate(line.words, 1))
    return (
        f'<TextLine id="{identity}"><Coords points="{pixel_points(line.polygon, photo)}"/><Baseline points="{base}"/>\n'
        f"{words}{_text(line.text, line.confidence)}</TextLine>\n"
    )


def _word(word: Word, identity: str, photo: Photo) -> str:
    points = pixel_points(word.polygon, photo)
    return f'<Word id="{identity}"><Coords points="{points}"/>{_text(word.text, word.confidence)}</Word>\n'


def _text(text: str, confidence: float | None = None) -> str:
    sure = "" if confidence is None else f' conf="{confidence:.4f}"'
    return f"<TextEquiv{sure}><Unicode>{content(text)}</Unicode></TextEquiv>"


FORMAT = Format(_item, head=_HEAD, tail="</PcGts>\n", single=True)
