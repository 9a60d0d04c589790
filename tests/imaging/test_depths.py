"""Pictures of unusual depth, and the ground that shows through transparent ones."""

import io

import numpy as np
import pytest
from PIL import Image

from wordsight.imaging import load_image
from wordsight.imaging.pixels import from_array


def encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 14, 16])
def test_fewer_bits_in_files_of_sixteen_are_stretched(bits):
    values = np.linspace(0, 2**bits - 1, 256).round().astype(np.uint16).reshape(16, 16)
    expected = values * (255 / (2**bits - 1))
    wide = Image.fromarray(values.astype(np.int32))
    for source in (values, encoded(Image.fromarray(values), "PNG"), encoded(Image.fromarray(values), "TIFF"), wide):
        np.testing.assert_allclose(load_image(source)[..., 1], expected, atol=0.51)


@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [12, 16])
def test_colours_of_sixteen_bits(kind, bits):
    cv2 = pytest.importorskip("cv2")
    values = np.random.default_rng(0).integers(0, 2**bits, (20, 30, 3)).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    expected = values * (255 / (2**bits - 1))
    alpha = np.full((20, 30, 1), 65535, np.uint16)
    for stored in (values, np.concatenate([values, alpha], axis=2)):
        np.testing.assert_allclose(load_image(stored), expected, atol=0.51)
        bgr = stored[..., [2, 1, 0, 3][: stored.shape[2]]]
        data = cv2.imencode(kind, bgr)[1].tobytes()
        np.testing.assert_allclose(load_image(data), expected, atol=0.51)


@pytest.mark.parametrize(("low", "high"), [(30_000, 31_000), (100, 110), (65_000, 65_535)])
def test_a_small_part_of_a_wide_scale_is_stretched(low, high):
    values = np.linspace(low, high, 256).round().astype(np.uint16).reshape(16, 16)
    for source in (values, encoded(Image.fromarray(values), "PNG")):
        grey = load_image(source)[..., 0]
        assert (grey.min(), grey.max()) == (0, 255)


def test_one_level_stays_what_it_is():
    for value, grey in ((0, 0), (65535, 255), (32768, 128)):
        assert (load_image(np.full((4, 4), value, np.uint16)) == grey).all()


def drawn(*rows: tuple[int, ...]) -> Image.Image:
    """Bars of these colours on transparent ground."""
    pixels = np.zeros((20 * len(rows), 60, 4), np.uint8)
    for k, colour in enumerate(rows):
        for x in range(5, 55, 10):
            pixels[20 * k + 5 : 20 * k + 15, x : x + 4] = (*colour, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("colours", "ground"),
    [
        ([(0, 0, 0)], 255),
        ([(200, 0, 0)], 255),
        ([(255, 255, 255)], 0),
        ([(255, 240, 90)], 0),
        ([(255, 255, 255), (0, 0, 0)], 128),
        ([(128, 128, 128)], 255),
    ],
)
def test_the_ground_is_chosen_by_contrast(colours, ground):
    image = drawn(*colours)
    for source in (image, np.asarray(image), encoded(image, "PNG"), encoded(image, "WEBP")):
        assert (load_image(source)[0] == ground).all()
    faint = image.copy()
    faint.putalpha(image.getchannel("A").point(lambda alpha: alpha // 3))
    assert (load_image(faint)[0] == ground).all()


def test_a_badge_keeps_its_white_corners_whatever_is_written_in_it():
    pixels = np.zeros((60, 100, 4), np.uint8)
    pixels[5:55, 5:95] = (20, 60, 160, 255)
    pixels[20:40, 20:80] = 255
    assert (load_image(pixels)[0] == 255).all()


def test_deep_pictures_take_no_gigabytes():
    """In bands of rows: as float32 a picture of 16 bits a colour takes six times its bytes at once."""
    import tracemalloc

    pixels = np.random.default_rng(0).integers(0, 65536, (2000, 2000, 4), np.uint16)
    tracemalloc.start()
    made = from_array(pixels, "noise")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.shape == (2000, 2000, 3)
    assert peak < 1.5 * pixels.nbytes
    few = from_array(pixels[:40, :40], "a corner")
    whole = np.asarray(from_array(np.ascontiguousarray(pixels[:40]), "a band"))[:, :40]
    assert np.array_equal(few, whole)
