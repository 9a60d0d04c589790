"""Plain signs in an ordinary typeface: no first or last letter is lost, however thin."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight import Reader

SIGNS = ("ILLINOIS", "MILK BAR", "I LIKE IT", "WILLIAM HILL", "World War II", "LIDL ALDI", "50% OFF", "SKI RENTAL",
         "iPhone 15", "Hill Till", "FILL IN", "Tilt 1")  # fmt: skip


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.mark.parametrize("size", [36, 48])
def test_an_ampersand_is_read(reader, size):
    picture = Image.new("RGB", (1000, 400), (232, 232, 226))
    ImageDraw.Draw(picture).text((120, 150), "Hill & Till", (40, 40, 60), ImageFont.load_default(size))
    assert [word.text for word in reader.read(np.asarray(picture)).words] == ["Hill", "&", "Till"]


@pytest.mark.parametrize("size", [36, 48, 72])
def test_all_letters_of_plain_signs_are_read(reader, size):
    lost, cut = {}, {}
    for sign in SIGNS:
        picture = Image.new("RGB", (1000, 400), (232, 232, 226))
        ImageDraw.Draw(picture).text((120, 150), sign, (40, 40, 60), ImageFont.load_default(size))
        words = reader.read(np.asarray(picture)).words
        if "".join(word.text for word in words) != sign.replace(" ", ""):
            lost[sign] = [word.text for word in words]
            continue
        columns = np.flatnonzero((np.asarray(picture) < 150).any(axis=(0, 2)))
        corners = np.concatenate([np.array(word.polygon) for word in words])
        left, right = corners[:, 0].min() - columns[0], columns[-1] - corners[:, 0].max()
        if max(left, right) > 0.25 * size:
            cut[sign] = (left, right)
    assert not lost
    assert not cut
