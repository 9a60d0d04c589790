"""ALTO 4.4 (https://www.loc.gov/standards/alto/), the XML of libraries: one document per photo."""

from wordsight import __version__
from wordsight.export.format import Format, attribute, baseline, content, pixel_box, pixel_points, title
from wordsight.imaging import Source
from wordsight.results import Line, Photo, Polygon, Word

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" SCHEMAVERSION="4.4">
"""


def _item(photo: Photo, number: int, image: Source | None = None) -> str:
    whole = f'HPOS="0" VPOS="0" WIDTH="{photo.width}" HEIGHT="{photo.height}"'
    lines = "".join(_line(line, f"line_{i}", photo) for i, line in enumerate(photo.lines, 1))
    block = f'<TextBlock ID="block_1" {whole}>\n{lines}</TextBlock>\n' if lines else ""
    return f"""<Description>
<MeasurementUnit>pixel</MeasurementUnit>
<sourceImageInformation><fileName>{content(title(photo))}</fileName></sourceImageInformation>
<Processing ID="wordsight"><processingSoftware>
<softwareName>wordsight</softwareName><softwareVersion>{__version__}</softwareVersion>
</processingSoftware></Processing>
</Description>
<Layout>
<Page ID="page_1" PHYSICAL_IMG_NR="{photo.page or 1}" WIDTH="{photo.width}" HEIGHT="{photo.height}">
<PrintSpace {whole}>
{block}</PrintSpace>
</Page>
</Layout>
"""


def _line(line: Line, identity: str, photo: Photo) -> str:
    words = "<SP/>\n".join(_word(word, f"{identity}_{j}", photo) for j, word in enumerate(line.words, 1))
    base = pixel_points(baseline(line.polygon), photo)
    return (
        f'<TextLine ID="{identity}" {_place(line.polygon, photo)} BASELINE="{base}">\n'
        f"{_shape(line.polygon, photo)}{words}</TextLine>\n"
    )


def _word(word: Word, identity: str, photo: Photo) -> str:
    return (
        f'<String ID="{identity}" CONTENT="{attribute(word.text)}" WC="{word.confidence:.4f}" '
        f"{_place(word.polygon, photo)}>{_shape(word.polygon, photo)}</String>\n"
    )


def _place(polygon: Polygon, photo: Photo) -> str:
    left, top, right, bottom = pixel_box(polygon, photo)
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'


def _shape(polygon: Polygon, photo: Photo) -> str:
    return f'<Shape><Polygon POINTS="{pixel_points(polygon, photo)}"/></Shape>'


FORMAT = Format(_item, head=_HEAD, tail="</alto>\n", single=True)
