"""The plugin of OCRmyPDF: a scan becomes a searchable PDF."""

import subprocess
import sys

import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("ocrmypdf")
pdfium = pytest.importorskip("pypdfium2")


@pytest.fixture
def scan(tmp_path):
    """Two pages, A5 at 150 dots per inch."""
    pages = []
    for text in ("MORNING COFFEE", "Total 31.90"):
        page = Image.new("RGB", (1240, 874), "white")
        ImageDraw.Draw(page).text((200, 300), text, font=ImageFont.load_default(90), fill="black")
        pages.append(page)
    pages[0].save(tmp_path / "scan.pdf", save_all=True, append_images=pages[1:], resolution=150)
    return tmp_path / "scan.pdf"


def ocrmypdf(*arguments):
    command = [sys.executable, "-m", "ocrmypdf", "--plugin", "wordsight.plugins.ocrmypdf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_a_scan_becomes_searchable(scan, tmp_path):
    done = ocrmypdf(
        "--output-type", "pdf", "-l", "deu+eng", "--sidecar", tmp_path / "all.txt", scan, tmp_path / "o.pdf"
    )
    assert done.returncode == 0, done.stderr
    document = pdfium.PdfDocument(tmp_path / "o.pdf")
    texts = [page.get_textpage() for page in document]
    assert [text.get_text_range().split() for text in texts] == [["MORNING", "COFFEE"], ["Total", "31.90"]]
    assert texts[0].count_rects() >= 2
    left, bottom, _, top = texts[0].get_rect(0)  # of the first word, in points from below
    assert left == pytest.approx(200 * 72 / 150, abs=10)
    assert 874 - 420 < bottom * 150 / 72 < top * 150 / 72 < 874 - 290
    assert "wordsight" in document.get_metadata_value("Creator")
    assert (tmp_path / "all.txt").read_text().split() == ["MORNING", "COFFEE", "Total", "31.90"]


def test_the_sandwich_renderer_is_refused_in_words(scan, tmp_path):
    done = ocrmypdf("--output-type", "pdf", "--pdf-renderer", "sandwich", scan, tmp_path / "o.pdf")
    assert done.returncode != 0
    assert "leave --pdf-renderer sandwich out" in done.stderr
