"""Sources of several pictures: TIFFs, animations, PDFs, and how their pages are asked for."""

import ctypes
import io
import re
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from PIL.TiffImagePlugin import AppendingTiffWriter

from wordsight.errors import ConfigError, ImageError, pip_install
from wordsight.imaging import open_pages
from wordsight.imaging.frames import MAX_PAGES
from wordsight.imaging.load import page_numbers

COLOURS = ("red", "lime", "blue")
FRAMES = [Image.new("RGB", (30, 20), colour) for colour in COLOURS]


def encoded(kind: str, frames: list[Image.Image] = FRAMES) -> bytes:
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=kind != "JPEG", append_images=frames[1:])
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG", "AVIF"])
def test_all_frames_in_any_order(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(encoded(kind))
    for source in (path, path.read_bytes()):
        with open_pages(source) as pages:
            assert len(pages) == 3
            for number in (1, 2, 3, 1, 3, 2):
                page = pages.page(number)
                assert (page.number, page.own_text) == (number, False)
                expected = np.asarray(FRAMES[number - 1])
                assert np.abs(page.pixels.astype(int) - expected).max() <= 6
            for number in (0, 4):
                with pytest.raises(ImageError, match=f"has 3 pages, there is no page {number}"):
                    pages.page(number)


def test_one_picture_is_one_page() -> None:
    for source in (FRAMES[0], np.asarray(FRAMES[0]), encoded("JPEG", FRAMES[:1]), encoded("TIFF", FRAMES[:1])):
        with open_pages(source) as pages:
            assert len(pages) == 1
            assert pages.page(1).pixels.shape == (20, 30, 3)
            with pytest.raises(ImageError, match="has one page"):
                pages.page(2)


def test_smaller_copies_inside_a_tiff_are_no_pages() -> None:
    stream = io.BytesIO()
    with AppendingTiffWriter(stream, new=True) as writer:
        for frame, kind in ((FRAMES[0], 0), (FRAMES[0].resize((15, 10)), 1), (FRAMES[1], 2)):
            frame.save(writer, "TIFF", tiffinfo={254: kind})
            writer.newFrame()
    with open_pages(stream) as pages:
        shown = [pages.page(number).pixels[0, 0].tolist() for number in range(1, len(pages) + 1)]
    assert shown == [[255, 0, 0], [0, 255, 0]]


def test_a_damaged_page_spoils_no_other() -> None:
    noise = [Image.fromarray(np.random.default_rng(k).integers(0, 256, (40, 40, 3), dtype=np.uint8)) for k in range(3)]
    whole = encoded("TIFF", noise)
    with open_pages(whole[: len(whole) // 2], name="scan.tif") as pages:
        assert pages.page(1).pixels.shape == (40, 40, 3)
        assert len(pages) > 1
        with pytest.raises(ImageError, match=f"scan.tif, page {len(pages)}, cannot be decoded") as caught:
            pages.page(len(pages))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "numbers"), [("2", [2]), ("1-3", [1, 2, 3]), ("4-", [4, 5]), ("5, 1-2", [5, 1, 2]), ("4-9", [4, 5])]
)
def test_pages_as_people_write_them(text: str, numbers: list[int]) -> None:
    assert page_numbers(text, 5) == numbers


@pytest.mark.parametrize("text", ["", "0", "-2", "3-2", "a", "1,,2", "1-2-3"])
def test_what_names_no_pages(text: str) -> None:
    with pytest.raises(ConfigError, match="names no pages"):
        page_numbers(text, 5)


def test_a_page_that_is_not_there_is_asked_for_all_the_same() -> None:
    assert page_numbers("7", 5) == [7]  # so that its lack is said


# ---- as many as there may be


def tiff(pages: int, *, order: str = "<", big: bool = False, kinds: tuple[int, ...] = (0,)) -> bytes:
    """Pages of 2 x 2 grey pixels that share them. `kinds`: what the tag 254 says, in turn."""
    number, offset, width = ("Q", "Q", 20) if big else ("H", "I", 12)
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else mark + struct.pack(f"{order}HI", 42, 8)
    at = len(head)
    size = struct.calcsize(f"{order}{number}{offset}") + 8 * width
    out = bytearray(head)
    for page in range(pages):
        values = {254: kinds[page % len(kinds)], 256: 2, 257: 2, 258: 8, 259: 1, 262: 1, 273: at + pages * size, 279: 4}
        out += struct.pack(order + number, len(values))
        for tag, value in values.items():
            out += struct.pack(f"{order}HH{offset}{offset}", tag, 16 if big else 4, 1, value)
        out += struct.pack(order + offset, at + (page + 1) * size if page + 1 < pages else 0)
    return bytes(out) + b"\x10\x20\x30\x40"


def gif(pages: int, comments: int = 0) -> bytes:
    data = encoded("GIF", [Image.new("P", (2, 2))])
    start = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:start] + b"!\xfe" + b"\1x" * comments + b"\0" + data[start:-1] * pages + b";"


def apng(pages: int) -> bytes:
    data = encoded("PNG", FRAMES[:1])
    chunk = b"acTL" + struct.pack(">II", pages, 0)
    return data[:33] + struct.pack(">I", 8) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize("count", [1, 2, 3, 700])
def test_pages_are_counted_as_pillow_counts_them(count: int) -> None:
    for data in (tiff(count), tiff(count, order=">"), tiff(count, big=True), gif(count), gif(count, comments=9)):
        with Image.open(io.BytesIO(data)) as image, open_pages(data) as pages:
            assert len(pages) == getattr(image, "n_frames", 1) == count
            assert pages.page(count).pixels.shape == (2, 2, 3)
            assert pages.page(1).pixels.shape == (2, 2, 3)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_copies_and_masks_are_left_out_in_every_kind_of_tiff(order: str, big: bool) -> None:
    data = tiff(9, order=order, big=big, kinds=(0, 1, 4))
    try:
        Image.open(io.BytesIO(data)).load()
    except Exception:
        pytest.skip("this Pillow reads no such file")
    with open_pages(data) as pages:
        assert len(pages) == 3


@pytest.mark.parametrize(
    "data",
    [tiff(MAX_PAGES + 1), tiff(60_000), tiff(60_000, big=True), gif(MAX_PAGES + 1), gif(200_000), apng(2**31 - 1)],
    ids=["TIFF", "60,000", "BigTIFF", "GIF", "200,000", "APNG"],
)
def test_more_pages_than_there_may_be_are_refused_at_once(data: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(ImageError, match=f"book has more than {MAX_PAGES} pages: split it") as caught:
        open_pages(data, name="book")
    assert time.process_time() - begun < 2  # Pillow takes minutes
    assert "\n" not in str(caught.value)


def test_as_many_pages_as_there_may_be_are_counted_soon() -> None:
    begun = time.process_time()
    with open_pages(tiff(MAX_PAGES)) as pages:
        assert len(pages) == MAX_PAGES
        assert pages.page(1).pixels.shape == (2, 2, 3)
    assert time.process_time() - begun < 2


def test_pages_that_go_round_in_circles_end() -> None:
    data = bytearray(tiff(3))
    last = len(data) - 4 - 4  # behind the last page stands where the next one is
    data[last : last + 4] = struct.pack("<I", 8)
    with open_pages(bytes(data)) as pages:
        assert len(pages) == 3


def test_what_takes_long_to_look_through_is_refused() -> None:
    many = 60_000
    tags = b"".join(struct.pack("<HHII", 300 + k, 4, 1, 0) for k in range(many))
    page = b"II*\0" + struct.pack("<IH", 8, many) + tags + bytes(4)
    for data, says in ((page, f"{many} tags"), (gif(1, comments=3_000_000), "blocks"), (gif(0) + b"x" * 3, None)):
        begun = time.process_time()
        with pytest.raises(ImageError, match=says) as caught:
            open_pages(data)
        assert time.process_time() - begun < 3
        assert "\n" not in str(caught.value)


# ---- PDF


def pdf(pages: int = 2, text: str = "") -> bytes:
    """Pages of 216 x 144 points, a scanned picture in each, with `text` written over the last one."""
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument.new()
    for number in range(pages):
        page = document.new_page(216, 144)
        picture = Image.new("RGB", (432, 288), COLOURS[number % 3])
        image = pdfium.PdfImage.new(document)
        image.set_bitmap(pdfium.PdfBitmap.from_pil(picture))
        image.set_matrix(pdfium.PdfMatrix().scale(216, 144))
        page.insert_obj(image)
        if text and number == pages - 1:
            font = pdfium.raw.FPDFText_LoadStandardFont(document, b"Helvetica")
            line = pdfium.raw.FPDFPageObj_CreateTextObj(document, font, 20)
            letters = ctypes.create_string_buffer(f"{text}\0".encode("utf-16-le"))
            pdfium.raw.FPDFText_SetText(line, ctypes.cast(letters, pdfium.raw.FPDF_WIDESTRING))
            pdfium.raw.FPDFPage_InsertObject(page, line)
        page.gen_content()
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def test_a_page_of_a_pdf_is_a_picture(tmp_path: Path) -> None:
    data = pdf()
    path = tmp_path / "scan.pdf"
    path.write_bytes(data)
    for source in (data, path):
        with open_pages(source) as pages:
            assert len(pages) == 2
            assert pages.page(1).pixels.shape == (400, 600, 3)  # at 200 pixels an inch
            assert pages.page(2).pixels[200, 300].tolist() == [0, 255, 0]
    with open_pages(data, dpi=72) as pages:
        assert pages.page(1).pixels.shape == (144, 216, 3)
    with open_pages(data, max_pixels=600 * 400 - 1) as pages, pytest.raises(ImageError, match="over the limit"):
        pages.page(1)
    for dpi in (0, 1e9, float("nan")):
        with pytest.raises(ConfigError, match="dpi"):
            open_pages(data, dpi=dpi)


def test_pages_with_text_of_their_own_are_told_from_scans() -> None:
    with open_pages(pdf(text="Invoice")) as pages:
        assert [pages.page(number).own_text for number in (1, 2)] == [False, True]


def test_pdfs_that_cannot_be_read() -> None:
    pytest.importorskip("pypdfium2")
    for data in (b"%PDF-1.7 something", pdf()[:60]):
        with pytest.raises(ImageError, match="doc is a damaged PDF") as caught:
            open_pages(data, name="doc")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "module", "cure"),
    [(b"%PDF-1.7", "pypdfium2", "pdf"), (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "pillow_heif", "heif")],
)
def test_a_missing_extra_is_named(data: bytes, module: str, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "wordsight.imaging.pdf", raising=False)
    with pytest.raises(ImageError, match="photo is a.*" + re.escape(pip_install(cure))) as caught:
        open_pages(data, name="photo")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "failure",
    [
        "raise ImportError('libx.so: cannot open\\nshared object')",
        "raise OSError('libx.so: invalid')",
        "import no_such_binding",
    ],
)
@pytest.mark.parametrize(
    ("data", "module", "cure"),
    [(b"%PDF-1.7", "pypdfium2", "pdf"), (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "pillow_heif", "heif")],
)
def test_an_extra_that_does_not_load_is_as_good_as_missing(
    data: bytes, module: str, cure: str, failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{module}.py").write_text(failure)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delitem(sys.modules, "wordsight.imaging.pdf", raising=False)
    with pytest.raises(ImageError, match=f"which needs an extra.*{module} does not load") as caught:
        open_pages(data, name="photo")
    assert str(caught.value).endswith(pip_install(cure))
    assert "\n" not in str(caught.value)


def test_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    picture = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 31, 47), fill="black")
    stream = io.BytesIO()
    heif.from_pillow(picture).save(stream, quality=95)
    for source in (stream.getvalue(), stream):
        with open_pages(source) as pages:
            assert len(pages) == 1
            pixels = pages.page(1).pixels
    assert pixels.shape == (48, 64, 3)
    assert pixels[:, :28].max() < 20
    assert pixels[:, 36:].min() > 235
    assert "HEIF" not in Image.OPEN  # Pillow is left as it was


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate"])
@pytest.mark.parametrize("count", [2, 3])
def test_the_last_page_of_a_tiff_cut_off_is_no_copy_of_the_one_before(compression: str, count: int) -> None:
    stream = io.BytesIO()
    FRAMES[0].save(stream, "TIFF", save_all=True, append_images=FRAMES[1:count], compression=compression)
    with open_pages(stream.getvalue()[:-20]) as pages:
        assert len(pages) == count
        for _ in range(2):  # the error is not forgotten
            np.testing.assert_array_equal(pages.page(count - 1).pixels, np.asarray(FRAMES[count - 2]))
            with pytest.raises(ImageError, match=f"page {count}, cannot be decoded .* truncated or damaged"):
                pages.page(count)


def test_one_page_by_its_number() -> None:
    with open_pages(encoded("TIFF")) as pages:
        assert pages.numbers(2) == [2]
        assert pages.numbers([3, 1]) == [3, 1]
