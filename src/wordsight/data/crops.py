"""Word crops as encoded pictures."""

import io

from PIL import Image

from wordsight.data.folder import FolderSource
from wordsight.data.sample import Source


def encoded(source: Source, i: int) -> tuple[bytes, str]:
    """Sample i as an encoded picture and its label: a folder's file as it is, of anything else a PNG.

    Raises:
        DataError: its image is missing or cannot be decoded.
    """
    sample = source[i]
    if isinstance(source, FolderSource):
        return (source.folder / source.names[i]).read_bytes(), sample.text
    png = io.BytesIO()
    Image.fromarray(sample.image).save(png, "PNG")
    return png.getvalue(), sample.text
