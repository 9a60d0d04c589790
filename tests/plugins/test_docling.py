"""The OCR engine of docling, found and asked by docling itself."""

import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("docling")

from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat, Page
from docling.datamodel.document import ConversionResult, InputDocument
from docling.datamodel.pipeline_options import OcrMode
from docling.models.factories.ocr_factory import OcrFactory

from wordsight.plugins import docling as plugin


def test_the_entry_point_names_the_engine(request):
    import tomllib

    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["docling"]["wordsight"] == plugin.__name__


def test_docling_reads_a_scan_with_it(tmp_path):
    picture = Image.new("RGB", (800, 400), "white")
    draw = ImageDraw.Draw(picture)
    for text, y in (("MORNING COFFEE", 60), ("Total 31.90", 240)):
        draw.text((80, y), text, font=ImageFont.load_default(60), fill="black")
    picture.save(tmp_path / "scan.pdf", resolution=144)  # 400 x 200 points

    factory = OcrFactory()
    factory.process_plugin(plugin.ocr_engines(), "wordsight", plugin.__name__)
    options = factory.create_options("wordsight", mode=OcrMode.FULL_PAGE)
    engine = factory.create_instance(
        options, enabled=True, artifacts_path=None, accelerator_options=AcceleratorOptions(num_threads=1)
    )
    document = InputDocument(tmp_path / "scan.pdf", InputFormat.PDF, PyPdfiumDocumentBackend)
    page = Page(page_no=1)
    page._backend = document._backend.load_page(0)
    page.size = page._backend.get_size()
    page.parsed_page = page._backend.get_segmented_page()
    (done,) = engine(ConversionResult(input=document), [page])
    cells = [cell for cell in done.parsed_page.textline_cells if cell.from_ocr]
    assert [cell.text for cell in cells] == ["MORNING COFFEE", "Total 31.90"]
    box = cells[0].rect.to_bounding_box()
    assert box.l == pytest.approx(40, abs=4)
    assert 25 < box.t < box.b < 70
    assert all(0 < cell.confidence <= 1 for cell in cells)


def test_an_engine_that_is_switched_off_changes_nothing():
    engine = plugin.WordsightOcrModel(
        enabled=False,
        artifacts_path=None,
        options=plugin.WordsightOcrOptions(),
        accelerator_options=AcceleratorOptions(),
    )
    assert list(engine(None, ["page"])) == ["page"]
