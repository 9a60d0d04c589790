import io
import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from wordsight.errors import ImageError
from wordsight.imaging import load_image


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    """Smooth, so that lossy formats keep it, and different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 2], axis=2).astype(np.uint8)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def encoded(image: Image.Image | np.ndarray, format: str, **options) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP", "JPEG"])
def test_formats(format, tmp_path):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}.get(format, {})
    data = encoded(picture(), format, **options)
    path = tmp_path / "picture"  # the content decides, not the name
    path.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), path, str(path), Image.open(path)):
        result = load_image(source)
        assert result.dtype == np.uint8
        assert result.shape == (24, 40, 3)
        assert np.abs(result.astype(int) - picture()).max() <= (8 if format == "JPEG" else 0)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits"])
def test_compressed_tiff(compression):
    result = load_image(encoded(picture(), "TIFF", compression=compression))
    assert np.abs(result.astype(int) - picture()).mean() < 6


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    for format in ("GIF", "WEBP", "TIFF", "PNG"):
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
        assert np.abs(load_image(data).astype(int) - (255, 0, 0)).max() <= 3


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    for source in (
        encoded(Image.fromarray(values), "PNG"),
        encoded(Image.fromarray(values), "TIFF"),
        encoded(Image.fromarray(values.astype(np.int32)), "TIFF"),
        Image.fromarray(values),
        values,
    ):
        result = load_image(source)
        np.testing.assert_array_equal(result, np.repeat(expected[:, :, None], 3, axis=2))


def test_float_tiff():
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    for scale in (1, 255, 65535):
        result = load_image(encoded(Image.fromarray(values * scale), "TIFF"))
        np.testing.assert_allclose(result[..., 0], values * 255, atol=0.51)
    beyond = values * 3e6 - 1e6
    beyond[0, 0] = np.nan
    result = load_image(encoded(Image.fromarray(beyond), "TIFF"))
    assert result[-1, -1, 0] == 255
    assert result[0, 1, 0] == 0


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "LA", "PA", "RGBA", "RGB", "CMYK", "YCbCr", "HSV", "I", "F", "La", "RGBa"]
)
def test_modes(mode):
    grey = Image.fromarray(picture()[..., 0])
    if mode in ("La", "RGBa"):
        image = grey.convert(mode[:-1] + "A").convert(mode)
    elif mode in ("HSV", "PA", "YCbCr", "CMYK"):
        image = grey.convert("RGB").convert({"PA": "P"}.get(mode, mode)).convert(mode)
    else:
        image = grey.convert(mode)
    result = load_image(image)
    assert result.shape == (24, 40, 3)
    limit = {"1": 255, "PA": 50}.get(mode, 12)  # dots; the web palette
    assert np.abs(result.astype(int) - picture()[..., :1]).max() <= limit
    assert result[:, -3:].mean() > 200 > 60 > result[:, :3].mean()


@pytest.mark.parametrize("inverted", [False, True])
def test_cmyk_files(inverted):
    cmyk = Image.fromarray(picture()).convert("CMYK")
    data = encoded(cmyk, "JPEG", quality=98) if inverted else encoded(cmyk, "TIFF")
    assert np.abs(load_image(data).astype(int) - picture()).mean() < 8


def test_transparency_becomes_white():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255  # black above, transparent black below
    rgba[0, 0] = (255, 0, 0, 128)
    expected = np.repeat([0, 255], 2)[:, None, None] * np.ones((4, 4, 3))
    expected[0, 0] = (255, 127, 127)
    for source in (rgba, Image.fromarray(rgba), encoded(rgba, "PNG"), encoded(rgba, "WEBP", lossless=True)):
        np.testing.assert_allclose(load_image(source), expected, atol=1)
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    for format in ("GIF", "PNG"):
        data = encoded(palette, format, transparency=1)
        np.testing.assert_array_equal(load_image(data)[0], [(10, 20, 30), (255, 255, 255)])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation, format):
    turns = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud}
    turns |= {5: lambda a: a.transpose(1, 0, 2), 6: np.rot90, 8: lambda a: np.rot90(a, -1)}
    turns |= {7: lambda a: np.rot90(a, 2).transpose(1, 0, 2)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = turns[orientation](picture())  # what a turned camera writes
    data = encoded(np.ascontiguousarray(stored), format, exif=exif)
    result = load_image(data)
    assert result.shape == (24, 40, 3)
    assert np.abs(result.astype(int) - picture()).mean() < 8


def test_damaged_exif_is_ignored():
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert load_image(data).shape == (24, 40, 3)


def test_arrays():
    rgb = picture()
    np.testing.assert_array_equal(load_image(rgb), rgb)
    np.testing.assert_array_equal(load_image(rgb[::-1, ::2]), rgb[::-1, ::2])
    np.testing.assert_array_equal(load_image(rgb / 255), rgb)
    np.testing.assert_array_equal(load_image((rgb / 255).astype(np.float32)), rgb)
    np.testing.assert_array_equal(load_image((rgb / 255).astype(np.float16)), rgb)
    np.testing.assert_array_equal(load_image(rgb.astype(np.uint16) * 257), rgb)
    np.testing.assert_array_equal(load_image(rgb[..., 0]), np.repeat(rgb[..., :1], 3, axis=2))
    np.testing.assert_array_equal(load_image(rgb[..., :1]), np.repeat(rgb[..., :1], 3, axis=2))
    np.testing.assert_array_equal(load_image(rgb[..., 0] > 99)[..., 2], np.where(rgb[..., 0] > 99, 255, 0))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 20, 30), np.uint8), "channels last"),
        (np.zeros((2, 20, 30, 3), np.uint8), "channels last"),
        (np.zeros(5, np.uint8), "channels last"),
        (np.array(None), "channels last"),
        (np.zeros((0, 5, 3), np.uint8), "empty"),
        (np.zeros((5, 0), np.uint8), "empty"),
        (np.full((5, 5), 256), "int64 beyond 0..255"),
        (np.full((5, 5), -1), "int64 beyond 0..255"),
        (np.zeros((5, 5), complex), "complex128"),
        (np.zeros((5, 5), "S1"), "pass uint8"),
        (np.full((5, 5), 1.5), "0..1"),
        (np.full((5, 5), -0.5), "0..1"),
        (np.full((5, 5), np.nan), "0..1"),
    ],
)
def test_arrays_refused(array, message):
    with pytest.raises(ImageError, match=message) as caught:
        load_image(array)
    assert "\n" not in str(caught.value)


def test_what_is_no_image_at_all():
    with pytest.raises(ImageError, match="NoneType"):
        load_image(None)
    for nothing in ([1, 2], [[1, 2], [3]], [["a"]], [], [None, 3], [[1, 2], [3, 400]]):
        with pytest.raises(ImageError, match="list") as caught:
            load_image(nothing)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="holds 2 pictures: pass one at a time, or all of them to iter_read"):
        load_image(["a.jpg", "b.jpg"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\0", "not an image"),
        (b"hello, this is a text file", "not an image"),
        (b"%PDF-1.7 something", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIC|broken header"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp41", "video"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X        ", "macOS"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),  # Ghostscript must not be started
        (encoded(noise(), "PNG")[:2000], "truncated"),
        (encoded(picture(), "PNG")[:20], "broken header"),
        (encoded(noise(), "JPEG")[:-400], "truncated"),
        (encoded(picture(), "JPEG")[:10], "broken header"),
        (encoded(picture(), "BMP")[:1000], "truncated"),
        (encoded(picture(), "TIFF")[:60], "broken header|truncated"),
        (encoded(noise(), "GIF")[:-900], "truncated"),
        (encoded(picture(), "WEBP")[:100], "broken header|truncated"),
        (
            b"BM" + encoded(picture(), "BMP")[2:18] + struct.pack("<ii", 0, 0) + encoded(picture(), "BMP")[26:],
            "broken header|empty",
        ),
        (b"GIF89a" + bytes(20), "broken header|empty"),
    ],
)
def test_broken_files_are_one_line_with_name_and_cure(data, message, tmp_path):
    path = tmp_path / "broken.bin"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(ImageError, match=message) as caught:
            load_image(source, name="my photo")
        assert str(caught.value).startswith("my photo ")
        assert "\n" not in str(caught.value)
        assert "unpack" not in str(caught.value)  # what a decoder stumbled over helps nobody
    with pytest.raises(ImageError, match=r"broken\.bin"):
        load_image(path)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        load_image(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="folder"):
        load_image(tmp_path)
    with pytest.raises(ImageError, match="the path is empty"):
        load_image("")
    for name in ("a\0b.jpg", "x" * 5000):
        with pytest.raises(ImageError, match="cannot be opened") as caught:
            load_image(name)
        assert "\n" not in str(caught.value)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageError, match="cannot be opened"):
        load_image(tmp_path / "file" / "x.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="regular file"):
        load_image(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the super-user may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(picture(), "PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="permissions"):
        load_image(path)


def test_pixel_limit_is_read_from_the_header():
    """A PNG that claims 100,000 x 100,000 pixels in a few bytes: nothing may be decoded, warned or remembered."""
    good = encoded(Image.new("1", (8, 8)), "PNG")
    bomb = good[:16] + struct.pack(">II", 100_000, 100_000) + good[24:29]
    bomb += struct.pack(">I", zlib.crc32(bomb[12:29])) + good[33:]
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="100000 x 100000 pixels, over the limit of 100000000"):
            load_image(bomb, name="bomb.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_pixel_limit_is_an_option():
    for source in (picture(), encoded(picture(), "PNG"), Image.fromarray(picture())):
        assert load_image(source, max_pixels=24 * 40).shape == (24, 40, 3)
        with pytest.raises(ImageError, match="over the limit of 959"):
            load_image(source, max_pixels=24 * 40 - 1)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF"])
def test_no_warning_between_pillows_limit_and_ours(format, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 40 - 1)
    data = encoded(Image.fromarray(picture()), format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(data).shape == (24, 40, 3)


def test_pillows_registry_is_not_touched():
    before = list(Image.ID)
    load_image(encoded(picture(), "PNG"))
    assert list(Image.ID) == before


def scans_of_nothing(scans: int, side: int = 4096) -> bytes:
    """A progressive JPEG that says in a few bytes, so many times, that nothing changes all over its picture."""

    def segment(marker: int, content: bytes) -> bytes:
        return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content

    def table(kind: int, *symbols: int) -> bytes:
        return segment(0xC4, bytes([kind, *(int(k < len(symbols)) for k in range(16)), *symbols]))

    blocks = (side // 8) ** 2
    head = b"\xff\xd8" + segment(0xDB, bytes([0, *[1] * 64]))
    head += segment(0xC2, b"\x08" + side.to_bytes(2) + side.to_bytes(2) + bytes([1, 1, 0x11, 0]))
    head += table(0x00, 0) + table(0x10, 0xE0, 0x00)
    head += segment(0xDA, bytes([1, 1, 0, 0, 0, 1])) + bytes(blocks // 8)
    bits = "".join("0" + format(min(blocks - at, 32767) - 16384, "014b") for at in range(0, blocks - 16384, 32767))
    end = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8)).replace(b"\xff", b"\xff\0")
    each = (segment(0xDA, bytes([1, 1, 0, 1 + k % 63, 1 + k % 63, 0])) + end for k in range(scans))
    return head + b"".join(each) + b"\xff\xd9"


def test_a_jpeg_of_thousands_of_scans_is_refused_by_their_number() -> None:
    """Each takes time by the picture's size, and a few bytes: 900 kB of them took 36 s."""
    assert load_image(scans_of_nothing(9)).shape == (4096, 4096, 3)
    began = time.process_time()
    with pytest.raises(ImageError, match=r"in memory has more than 200 scans: save it"):
        load_image(scans_of_nothing(5000))
    assert time.process_time() - began < 2


def test_what_stands_beside_a_jpeg_is_no_scan() -> None:
    """In its comments, and behind its end, where phones put films."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "JPEG", comment=b"\xff\xda" * 300)
    assert load_image(stream.getvalue() + b"\xff\xda" * 300).shape == (6, 8, 3)
    began = time.process_time()
    with pytest.raises(ImageError):
        load_image(b"\xff\xd8" + b"\xff" * 400_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1"])
def test_a_picture_of_many_bands_is_turned_as_a_small_one(orientation: int, mode: str) -> None:
    """As Pillow turns the whole of it."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 300, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    image.getexif()[0x0112] = orientation
    turned = ImageOps.exif_transpose(image)
    assert np.array_equal(load_image(image), np.asarray(turned.convert("RGB")))


@pytest.mark.slow
def test_a_hundred_megapixels_take_seven_bytes_each(tmp_path: Path) -> None:
    """Four while they are decoded and three for the array, in a process of its own, which has some 60 MB without."""
    Image.new("RGB", (10_000, 10_000), "grey").save(tmp_path / "large.jpg")
    code = (
        "import resource, sys; from wordsight.imaging import load_image; load_image(sys.argv[1]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "large.jpg"], capture_output=True, check=True)
    assert int(done.stdout) < 850_000  # KB
