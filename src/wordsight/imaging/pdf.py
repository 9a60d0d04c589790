"""Pages of PDFs as pictures, rendered by PDFium (the extra `pdf`)."""

import math
import threading
from typing import BinaryIO

import numpy as np
import pypdfium2
from numpy.typing import NDArray

from wordsight.errors import ImageError

_LOCK = threading.RLock()  # PDFium is not thread-safe, not even for different files
_POINTS_PER_INCH = 72


class Pdf:
    """An open PDF.

    Args:
        stream: the file, which is read and closed.
        name: its name in messages.

    Raises:
        ImageError: it is damaged, or cannot be opened without a password.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._name = name
        try:
            with _LOCK:
                self._document = pypdfium2.PdfDocument(stream.read())
                self._count = len(self._document)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise ImageError(f"{name} is protected by a password: save it without one") from None
            raise ImageError(f"{name} is a damaged PDF ({error}): download or save it again") from None
        finally:
            stream.close()
        if not self._count:
            raise ImageError(f"{name} is a PDF without pages: download or save it again")

    def __len__(self) -> int:
        return self._count

    def size(self, number: int, dpi: float) -> tuple[int, int]:
        """Width and height in pixels of a page, counted from 1."""
        with _LOCK:
            width, height = self._document.get_page_size(number - 1)
        return math.ceil(width * dpi / _POINTS_PER_INCH), math.ceil(height * dpi / _POINTS_PER_INCH)

    def draw(self, number: int, dpi: float) -> tuple[NDArray[np.uint8], bool]:
        """The page as uint8 RGB (H, W, 3), and whether it contains text objects."""
        try:
            with _LOCK:
                page = self._document[number - 1]
                text = page.get_textpage()
                own_text = bool(text.get_text_range().strip())
                text.close()
                bitmap = page.render(scale=dpi / _POINTS_PER_INCH, rev_byteorder=True)
                pixels = np.array(bitmap.to_numpy())[..., :3]  # a copy: the bitmap's memory is PDFium's
                bitmap.close()
                page.close()
        except (pypdfium2.PdfiumError, MemoryError) as error:
            raise ImageError(f"{self._name}, page {number}, cannot be drawn ({error}): save the PDF again") from None
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels, own_text

    def close(self) -> None:
        """Closes the document."""
        with _LOCK:
            self._document.close()
