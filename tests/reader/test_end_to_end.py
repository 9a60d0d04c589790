"""The shipped model on pictures of easy signs, and on real scenes. Skipped while it is not there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from rapidfuzz.distance import Levenshtein

from wordsight import Reader

LINES = ["Welcome", "Coffee House", "Open 1729"]


def _sign(lines: list[str], size: int = 44, width: int = 480) -> Image.Image:
    """Light letters on a dark plate, a little blurred."""
    height = 40 + 70 * len(lines)
    image = Image.new("RGB", (width, height), (96, 110, 96))
    pen = ImageDraw.Draw(image)
    pen.rectangle((16, 12, width - 16, height - 12), fill=(24, 48, 96))
    for k, line in enumerate(lines):
        pen.text((40, 30 + 70 * k), line, font=ImageFont.load_default(size), fill=(240, 240, 228))
    return image.filter(ImageFilter.GaussianBlur(0.7))


def _compact(text: str) -> str:
    return "".join(text.split()).lower()


def test_words_of_a_sign_in_reading_order(shipped: Reader) -> None:
    photo = shipped.read(_sign(LINES))
    assert [word.text for word in photo.words] == " ".join(LINES).split()
    assert [line.text for line in photo.lines] == LINES
    assert min(word.confidence for word in photo.words) > 0.3
    for word in photo.words:
        assert "".join(char.text for char in word.chars) == word.text


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_sign_is_read_all_the_same(shipped: Reader, quarters: int) -> None:
    upright = _sign(["Coffee House"])
    photo = shipped.read(np.rot90(np.asarray(upright), quarters))
    assert sorted(word.text for word in photo.words) == ["Coffee", "House"]
    top_left, top_right = np.array(photo.words[0].polygon[:2])
    # Turned counter-clockwise by a quarter, text runs upwards; by two, to the left; by three, downwards.
    direction = np.array([(1, 0), (0, -1), (-1, 0), (0, 1)][quarters])
    assert (top_right - top_left) @ direction > 0


def test_a_wide_text_without_gaps_is_read_without_doubled_characters(shipped: Reader) -> None:
    text = "bookkeepers-committee-aggressively-balloon"
    image = _sign([text], width=1100)
    box = [(36, 24), (1000, 24), (1000, 86), (36, 86)]
    right = max(x for x in range(36, 1080) if np.ptp(np.asarray(image.convert("L"))[30:80, x]) > 60)
    box[1], box[2] = (right + 4, 24), (right + 4, 86)
    (word,) = shipped.read(image, [box]).words
    assert abs(len(word.text) - len(text)) <= 1
    assert Levenshtein.normalized_similarity(word.text.lower(), text) > 0.9


def test_pictures_without_text_have_no_words(shipped: Reader) -> None:
    dice = np.random.default_rng(0)
    coarse = Image.fromarray(dice.integers(90, 160, (6, 8, 3), dtype=np.uint8))
    for image in (coarse.resize((320, 240), Image.Resampling.BICUBIC), Image.new("RGB", (320, 240), (90, 120, 160))):
        assert shipped.read(image).words == ()


def test_crops_of_words(shipped: Reader) -> None:
    words = ["Welcome", "Coffee", "1729", "OPEN", "House"]
    crops = [_sign([word]).crop((30, 22, 60 + 26 * len(word), 92)) for word in words]
    read = [_compact(word.text) for word in shipped.read_crops(crops)]
    assert sum(a == b.lower() for a, b in zip(read, words, strict=True)) >= 4


def _large(scene: dict[str, Any]) -> set[str]:
    """The words of a labelled scene that nobody should miss."""
    return {
        word["text"].lower()
        for word in scene["words"]
        if word["legible"] and len(word["text"]) >= 4 and word["text"].isalnum() and _height(word["polygon"]) >= 24
    }


def _height(polygon: list[list[float]]) -> float:
    return float(np.ptp(np.array(polygon)[:, 1]))


@pytest.mark.data
def test_large_words_of_real_scenes_are_read(shipped: Reader, real_data: Path) -> None:
    """Training scenes: this guards the pipeline (boxes, crops, order of points), it measures nothing."""
    folder = real_data / "scenes" / "train" / "ic15"
    scenes = map(json.loads, (folder / "scenes.jsonl").read_text().splitlines())
    telling = [scene for scene in scenes if len(_large(scene)) >= 3][:6]
    wanted = hit = 0
    for scene in telling:
        read = {_compact(word.text) for word in shipped.read(folder / scene["image"]).words}
        wanted += len(_large(scene))
        hit += len(_large(scene) & read)
    assert wanted >= 18
    assert hit / wanted > 0.5
