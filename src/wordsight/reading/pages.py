"""Files of several pictures, read page by page."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.errors import ImageError
from wordsight.imaging import Pages, Source, name_of, open_pages
from wordsight.imaging.geometry import few
from wordsight.reading.context import SceneContexts
from wordsight.reading.scenes import EncodedScene
from wordsight.results import Line, Photo, Word


class ReadsPages(ABC):
    """The part of a reader that opens a source and makes photos of its pages."""

    _max_pixels: int
    _scenes: SceneContexts

    def read_pages(
        self,
        source: Source,
        pages: str | int | Iterable[int] | None = None,
        *,
        name: str | None = None,
        context: bool | EncodedScene | None = None,
        dpi: float | None = None,
    ) -> Iterator[Photo]:
        """Reads the pages of a TIFF or PDF, or the frames of an animation, as photos, holding one in memory.

        Args:
            source: the file.
            pages: a number from 1, several, or text such as "2-5" or "1,7-". None: all.
            name: the photos' name in the result and in error messages; the file's path by default.
            context: as in `read`.
            dpi: pixels per inch at which pages of a PDF are rendered. None: 200.

        Yields:
            A photo for each page, whose number is its `page`. If one of several pages cannot be read, its photo has no
            words and its `problems` say why.

        Raises:
            ImageError: the file cannot be read.
            ConfigError: `pages` names none, or as in `read`.
        """
        name = name or name_of(source)
        with open_pages(source, name=name, max_pixels=self._max_pixels, dpi=dpi) as opened:
            for number in opened.numbers(pages):
                try:
                    photo = self._page(source, opened, number, name, None, context)
                except ImageError as error:
                    if len(opened) == 1:
                        raise
                    photo = Photo(name, 0, 0, (), (str(error),), number)
                yield photo

    def _page(
        self,
        source: Source,
        pages: Pages,
        number: int,
        name: str,
        boxes: Iterable[ArrayLike] | None,
        context: bool | EncodedScene | None,
    ) -> Photo:
        context = self._scenes.taken if context is None else context
        self._scenes.check(context)
        rejected: list[Word] = []
        problems: list[str] = []
        notes: tuple[str, ...] = ()
        if boxes is None and pages.reducible and number == 1:
            (height, width), lines, problems = self._detected(source, name, context, rejected)
        else:
            page = pages.page(number)
            (height, width), notes = page.pixels.shape[:2], page.notes
            if boxes is None:
                _, lines, problems = self._detected(page.pixels, name, context, rejected)
            else:
                lines, problems = self._given(page.pixels, few(boxes, name), context, rejected)
        place = number if len(pages) > 1 else None
        told = context is not False
        return Photo(name, width, height, tuple(lines), tuple(problems), place, tuple(rejected), notes, told)

    @abstractmethod
    def _detected(
        self, source: Source, name: str, context: bool | EncodedScene, rejected: list[Word]
    ) -> tuple[tuple[int, int], list[Line], list[str]]:
        """Height and width, lines that are found, and problems; words that are not sure enough join `rejected`."""

    @abstractmethod
    def _given(
        self, image: NDArray[np.uint8], boxes: Iterable[ArrayLike], context: bool | EncodedScene, rejected: list[Word]
    ) -> tuple[list[Line], list[str]]:
        """Lines of given boxes, and their problems."""
