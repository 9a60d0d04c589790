"""Dates and lots as dot-matrix printers write them on packages: dots that do not touch, sharp and large."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight import Reader

PITCH = 6  # pixels from dot to dot
TEXTS = [
    "BEST 24.12.2029",
    "LOT 340721",
    "USE BY 30.11.27",
    "EXP 07/2031",
    "BATCH 20374",
    "LOT 721847",
    "BEST 18.06.2028",
    "MFG 14 OCT 2030",
]


def printed(text: str) -> np.ndarray:
    """Letters of about eight rows of dots, the pixels of a small picture of the text."""
    small = Image.new("L", (len(text) * 12 + 20, 24))
    ImageDraw.Draw(small).text((4, 4), text, 255, ImageFont.load_default(12))
    rows, columns = np.nonzero(np.asarray(small) > 110)
    rows, columns = (PITCH * (places - places.min()) + 40 for places in (rows, columns))
    image = Image.new("RGB", (int(columns.max()) + 40, int(rows.max()) + 40), "white")
    for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
        ImageDraw.Draw(image).ellipse((x - 2.6, y - 2.6, x + 2.6, y + 2.6), (34, 34, 60))
    return np.asarray(image)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=2)


@pytest.mark.parametrize("text", TEXTS)
def test_dots_are_read_as_the_letters_that_they_form(reader, text):
    assert " ".join(reader.read(printed(text)).text.split()) == text
