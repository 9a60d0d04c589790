"""An OCR engine of docling (extra `docling`), which finds it by an entry point.

    docling --allow-external-plugins --ocr-engine wordsight scan.pdf

In Python: `PdfPipelineOptions(allow_external_plugins=True, ocr_options=WordsightOcrOptions())`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from docling.datamodel.pipeline_options import OcrOptions
from docling.models.base_ocr_model import BaseOcrModel
from docling.utils.profiling import TimeRecorder
from docling_core.types.doc import BoundingBox, CoordOrigin
from docling_core.types.doc.page import BoundingRectangle, TextCell
from pydantic import Field

from wordsight.reader import Reader
from wordsight.results import Line


class WordsightOcrOptions(OcrOptions):
    """How docling is to read: `model` is a shipped model or the folder of a pack; `lang` is not looked at."""

    kind: ClassVar[Literal["wordsight"]] = "wordsight"
    lang: list[str] = Field(default_factory=list)
    model: str = "latin"


class WordsightOcrModel(BaseOcrModel):
    """Reads the parts of pages that docling asks for, line by line."""

    multiple_languages = True

    def __init__(
        self, *, enabled: bool, artifacts_path: Path | None, options: WordsightOcrOptions, accelerator_options: Any
    ) -> None:
        super().__init__(
            enabled=enabled, artifacts_path=artifacts_path, options=options, accelerator_options=accelerator_options
        )
        self.reader = Reader(options.model, threads=accelerator_options.num_threads) if enabled else None

    def __call__(self, conv_res: Any, page_batch: Iterable[Any]) -> Iterator[Any]:
        """Adds what is read to the cells of each page."""
        for page in page_batch:
            if self.reader is not None and page._backend is not None and page._backend.is_valid():
                with TimeRecorder(conv_res, "ocr"):
                    areas = [area for area in self.get_ocr_rects(page) if area.area() > 0]
                    lines = [(area, line) for area in areas for line in self._lines(self.reader, page, area)]
                    cells = [self._cell(index, *line) for index, line in enumerate(lines)]
                    self.post_process_cells(cells, page, conv_res)
            yield page

    def _lines(self, reader: Reader, page: Any, area: BoundingBox) -> tuple[Line, ...]:
        picture = page._backend.get_page_image(scale=self.options.scale, cropbox=area)
        return reader.read(np.asarray(picture.convert("RGB"))).lines

    def _cell(self, index: int, area: BoundingBox, line: Line) -> TextCell:
        left, top, right, bottom = (side / self.options.scale for side in line.box)
        box = BoundingBox(
            l=area.l + left, t=area.t + top, r=area.l + right, b=area.t + bottom, coord_origin=CoordOrigin.TOPLEFT
        )
        rectangle = BoundingRectangle.from_bounding_box(box)
        return TextCell(
            index=index, text=line.text, orig=line.text, confidence=line.confidence, rect=rectangle, from_ocr=True
        )

    @classmethod
    def get_options_type(cls) -> type[WordsightOcrOptions]:
        """By which docling knows it."""
        return WordsightOcrOptions


def ocr_engines() -> dict[str, list[type[WordsightOcrModel]]]:
    """What the entry point offers."""
    return {"ocr_engines": [WordsightOcrModel]}
