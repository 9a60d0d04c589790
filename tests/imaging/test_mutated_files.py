"""Damaged image files: every one is either read or refused in one line, untouched ones among them are read."""

import io
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import ImageError
from wordsight.imaging import load_image


def originals() -> list[bytes]:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 8, 3), dtype=np.uint8))
    photo = coarse.resize((64, 40), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = photo.convert("RGBA")
    alpha.putalpha(photo.convert("L"))
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    variants: list[tuple[Image.Image, str, dict[str, object]]] = [
        (photo, "JPEG", {"exif": exif}),
        (photo, "JPEG", {"progressive": True}),
        (photo.convert("CMYK"), "JPEG", {}),
        (photo, "PNG", {"exif": exif}),
        (alpha, "PNG", {}),
        (photo.quantize(16), "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (photo, "GIF", {}),
        (photo, "GIF", {"save_all": True, "append_images": [photo.rotate(90)], "disposal": 2}),
        (photo, "WEBP", {"exif": exif}),
        (alpha, "WEBP", {"lossless": True}),
        (photo, "WEBP", {"save_all": True, "append_images": [photo.rotate(90)]}),
        (photo, "TIFF", {"exif": exif}),
        (photo, "TIFF", {"compression": "tiff_lzw"}),
        (photo, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {}),
        (photo.convert("1"), "TIFF", {"compression": "group4"}),
        (photo, "BMP", {}),
        (photo.quantize(16), "BMP", {}),
    ]
    files = []
    for image, format, options in variants:
        stream = io.BytesIO()
        image.save(stream, format, **options)
        files.append(stream.getvalue())
    return files


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One to eight of: bytes changed, bits flipped, cut off, a piece lost, doubled, zeroed; headers more often."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        size = len(damaged)
        if size < 2:
            break
        at = int(rng.integers(size if rng.random() < 0.5 else min(size, 64)))
        length = int(rng.integers(1, min(size, 32)))
        match rng.integers(7):
            case 0:
                damaged[at] = rng.integers(256)
            case 1:
                damaged[at] ^= 1 << rng.integers(8)
            case 2:
                damaged[at : at + 4] = rng.choice([0, 255, 127, 128], 4).astype(np.uint8).tobytes()
            case 3:
                del damaged[at : at + length]
            case 4:
                damaged[at:at] = damaged[at : at + length]
            case 5:
                damaged[at : at + length] = bytes(len(damaged[at : at + length]))
            case 6 if rng.random() < 0.3:
                del damaged[int(rng.integers(size)) :]
    return bytes(damaged)


def attempt(source, name: str) -> tuple[np.ndarray | None, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
        try:
            return load_image(source, name=name, max_pixels=20_000_000), ""
        except ImageError as error:
            return None, str(error)


def survive(count: int, seed: int, tmp_path) -> tuple[int, int]:
    rng = np.random.default_rng(seed)
    files = originals()
    read = refused = 0
    for number in range(count):
        data = mutated(files[number % len(files)], rng)
        path = tmp_path / "photo.bin"
        path.write_bytes(data)
        start = time.perf_counter()
        image, refusal = attempt(path if number % 2 else data, f"photo {number}")
        if image is None:
            refused += 1
            assert refusal.startswith(f"photo {number} ")
            assert "\n" not in refusal
        else:
            read += 1
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert image.size > 0
        assert time.perf_counter() - start < 20
        if number % 10 == 0:
            untouched = load_image(files[number // 10 % len(files)])
            assert sorted(untouched.shape) == [3, 40, 64]
    return read, refused


def test_a_hundred_mutated_files(tmp_path, capfd):
    read, refused = survive(114, 1, tmp_path)
    assert read > 10
    assert refused > 10
    assert capfd.readouterr().out == ""  # libtiff, in C, complains on stderr


@pytest.mark.slow
def test_a_thousand_mutated_files(tmp_path, capfd):
    read, refused = survive(1007, 2, tmp_path)
    assert read > 100
    assert refused > 100
    assert capfd.readouterr().out == ""
