"""Letters that stand one below the other."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight.reader import Reader
from wordsight.reading.stacks import side_by_side
from wordsight.reading.strips import Strip

SIZE = 48


def stack(text: str, gap: int = 14) -> np.ndarray:
    """The text written downwards, dark on light."""
    font = ImageFont.load_default(SIZE)
    image = Image.new("RGB", (SIZE + 10, len(text) * (SIZE - 12 + gap) + 16), (230, 225, 200))
    pen = ImageDraw.Draw(image)
    for i, letter in enumerate(text):
        pen.text((image.width / 2, 8 + i * (SIZE - 12 + gap)), letter, (40, 20, 60), font, anchor="mt")
    return np.asarray(image)


def test_letters_come_side_by_side_in_their_order() -> None:
    strip = np.full((200, 50, 3), 220, np.uint8)
    shades = (10, 60, 35, 90)
    for i, (shade, wide) in enumerate(zip(shades, (30, 12, 40, 24), strict=True)):
        strip[10 + 48 * i : 40 + 48 * i, 25 - wide // 2 : 25 + wide // 2] = shade
    pixels = side_by_side(strip)
    assert pixels is not None
    middle = pixels[len(pixels) // 2, :, 0]
    seen = [int(value) for value in middle if value != 220]
    assert list(dict.fromkeys(seen)) == list(shades)
    assert [seen.count(shade) for shade in shades] == [30, 12, 40, 24]


@pytest.mark.parametrize("crop", [stack("I"), np.full((90, 30, 3), 128, np.uint8), np.zeros((3, 1, 3), np.uint8)])
def test_what_is_no_stack_is_left_alone(crop: np.ndarray) -> None:
    assert side_by_side(crop) is None


def test_a_stack_keeps_its_place_in_the_photo() -> None:
    polygon = np.array([(5, 5), (30, 5), (30, 200), (5, 200)], float)
    strip = Strip(stack("EXIT"), polygon).unstacked()
    assert strip is not None
    assert np.array_equal(strip.outline((0, 10)), polygon)


def test_the_default_model_reads_a_stack(shipped: Reader) -> None:
    crops = [stack(word) for word in ("HOTEL", "BANK", "EXIT", "TAXI")]
    read = [word.text.upper() for word in shipped.read_crops(crops)]
    assert sum(a == b for a, b in zip(read, ("HOTEL", "BANK", "EXIT", "TAXI"), strict=True)) >= 3
    (word,) = shipped.read(np.pad(crops[0], ((30, 30), (30, 30), (0, 0)), mode="edge"), boxes=[_box(crops[0])]).words
    assert word.text.upper() == "HOTEL"
    assert np.allclose(word.polygon, _box(crops[0]))


def _box(crop: np.ndarray) -> list[tuple[int, int]]:
    height, width = crop.shape[:2]
    return [(30, 30), (30 + width, 30), (30 + width, 30 + height), (30, 30 + height)]
