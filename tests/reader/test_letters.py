"""Letters of Latin alphabets that are rare in lists of words are read, too, and not as their base letters."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight import Reader

WORDS = [
    "Grüße",
    "Größe",
    "naïve",
    "français",
    "Señor",
    "Wrocław",
    "źródło",
    "ćwierć",
    "příliš",
    "žluťoučký",
    "děti",
    "őszi",
    "gyűrű",
    "Brăila",
    "Țara",
    "știință",
    "ağaç",
    "Smørrebrød",
    "Ærø",
    "þeir",
    "Ólafur",
    "čeština",
    "Žižka",
    "được",
    "Nguyễn",
    "œuvre",
    "coração",
    "Málaga",
    "Ķekava",
    "ņem",
    "šeši",
    "ūdens",
]


def test_words_keep_their_letters():
    try:
        font = ImageFont.truetype("DejaVuSans.ttf", 48)
    except OSError:
        pytest.skip("there is no DejaVu Sans")
    crops = []
    for word in WORDS:
        left, top, right, bottom = font.getbbox(word)
        crop = Image.new("RGB", (int(right - left) + 20, int(bottom - top) + 16), (232, 232, 226))
        ImageDraw.Draw(crop).text((10 - left, 8 - top), word, (40, 40, 60), font)
        crops.append(np.asarray(crop))
    read = [word.text for word in Reader().read_crops(crops)]
    wrong = [pair for pair in zip(WORDS, read, strict=True) if pair[0] != pair[1]]
    assert len(wrong) <= 1, wrong
