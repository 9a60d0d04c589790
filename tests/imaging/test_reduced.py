"""Large JPEGs decoded at a part of their size; everything else as `load_image` reads it."""

import io

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import ImageError
from wordsight.imaging import load_image
from wordsight.imaging.reduced import load_reduced


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    y, x = np.mgrid[:900, :1600]
    picture = Image.fromarray(np.stack([x // 7, y // 4, (x + y) // 10], axis=-1).astype(np.uint8))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95)
    return out.getvalue()


@pytest.mark.parametrize(
    ("longest", "width"), [(1600, 1600), (801, 1600), (800, 800), (500, 800), (400, 400), (10, 200)]
)
def test_as_much_as_is_asked_for(jpeg, longest, width):
    pixels, size = load_reduced(jpeg, longest)
    assert size == (900, 1600)
    assert pixels.shape[1] == width
    assert pixels.dtype == np.uint8
    whole = Image.fromarray(load_image(jpeg)).resize(pixels.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(pixels.astype(int) - np.asarray(whole)).mean() < 4


def test_it_is_upright(jpeg, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(jpeg)).save(tmp_path / "a.jpg", exif=exif)
    pixels, size = load_reduced(tmp_path / "a.jpg", 400)
    assert size == (1600, 900)
    assert pixels.shape == (400, 225, 3)


def test_what_is_no_jpeg_comes_whole(jpeg, tmp_path):
    array = load_image(jpeg)
    Image.fromarray(array).save(tmp_path / "a.png")
    for source in (array, Image.fromarray(array), tmp_path / "a.png", str(tmp_path / "a.png")):
        pixels, size = load_reduced(source, 100)
        assert size == (900, 1600)
        assert np.array_equal(pixels, array)


def test_errors_are_those_of_load_image(jpeg, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(jpeg[:300])
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    for source, options, message in (
        (tmp_path / "none.jpg", {}, "does not exist"),
        (tmp_path, {}, "is a folder"),
        (tmp_path / "broken.jpg", {}, "broken.jpg"),
        (tmp_path / "cut.jpg", {}, "cut.jpg.*truncated"),
        (jpeg, {"max_pixels": 1000}, "over the limit"),
        (b"", {}, "empty"),
        (7, {}, "is of type int"),
        ("", {}, "the path is empty"),
    ):
        with pytest.raises(ImageError, match=message) as caught:
            load_reduced(source, 100, **options)
        assert "\n" not in str(caught.value)
