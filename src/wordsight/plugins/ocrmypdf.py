"""A plugin of OCRmyPDF: scans become searchable PDFs, without Tesseract (extra `ocrmypdf`).

    ocrmypdf --plugin wordsight.plugins.ocrmypdf scan.pdf searchable.pdf

All of OCRmyPDF's options work but those of Tesseract and `--pdf-renderer sandwich`. Pages keep their orientation.
"""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ocrmypdf import hookimpl
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence

from wordsight import __version__
from wordsight.files import write_text
from wordsight.reader import Reader


@cache
def _reader() -> Reader:
    """One for each process, with one thread: OCRmyPDF reads several pages at a time."""
    return Reader(threads=1)


class WordsightEngine(OcrEngine):
    """What OCRmyPDF asks to read a page."""

    @staticmethod
    def version() -> str:
        """That of wordsight."""
        return __version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        """For the metadata of the PDF."""
        return f"wordsight {__version__}"

    def __str__(self) -> str:
        return self.creator_tag(None)

    @staticmethod
    def languages(options: Any) -> set[str]:
        """Whatever was asked for: the model reads all Latin letters, and has no list of languages."""
        return set(options.languages)

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        """Upright, for all that is known."""
        return OrientationConfidence(angle=0, confidence=0.0)

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        """Reads the picture of a page."""
        photo = _reader().read(input_file)
        write_text(output_hocr, photo.to_hocr())
        write_text(output_text, photo.text)

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        """OCRmyPDF makes the PDF, out of hOCR."""
        raise NotImplementedError("wordsight does not write PDFs: omit --pdf-renderer sandwich")


@hookimpl
def initialize(plugin_manager: Any) -> None:
    """Tesseract's own plugin keeps its options, which OCRmyPDF reads, but asks for its program no more."""
    tesseract = plugin_manager.unregister(name=_TESSERACT)
    kept = (name for name in ("register_options", "add_options") if hasattr(tesseract, name))
    plugin_manager.register(SimpleNamespace(**{name: getattr(tesseract, name) for name in kept}), name=_TESSERACT)


_TESSERACT = "ocrmypdf.builtin_plugins.tesseract_ocr"


@hookimpl
def get_ocr_engine(options: Any) -> WordsightEngine | None:
    """This one, unless pages are not to be read."""
    return None if getattr(options, "ocr_engine", "auto") == "none" else WordsightEngine()
