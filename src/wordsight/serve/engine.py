"""One model for all requests: readers that differ in options share its sessions, and words go through it together."""

import io
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wordsight.detect import Detector, FoundBox
from wordsight.errors import BoxError, WordsightError
from wordsight.imaging.geometry import as_polygon
from wordsight.imaging.rectify import MAX_STRIP
from wordsight.reader import Reader
from wordsight.reading.looks import reads_lines
from wordsight.results import Photo, Word
from wordsight.runtime import OnnxRecognizer
from wordsight.serve.constraints import Constraints
from wordsight.serve.desk import Room, check_deadline
from wordsight.serve.metrics import Metrics
from wordsight.serve.options import BatchOptions, Constrained
from wordsight.serve.refusals import malformed
from wordsight.serve.settings import MAX_COVER, Settings
from wordsight.serve.together import Together

DETECTORS = 2
"""Pictures in which text is looked for at a time: more are no quicker and take memory."""


class Engine:
    """Reads for requests; any number of threads may call it.

    Args:
        settings: which model, on what, and how large pictures may be.
        metrics: where times and batches go.
        company: how many requests are being read.

    Raises:
        ModelError: there is no such model, or its pack is damaged.
        DeviceError: the device is not available.
    """

    def __init__(self, settings: Settings, metrics: Metrics, company: Callable[[], int]) -> None:
        reader = Reader(settings.model, settings.device, settings.threads, max_pixels=settings.max_pixels)
        self._recognizer = cast(OnnxRecognizer, reader._recognizer)
        self._detector = _Detector(reader._detector(), metrics)
        self._thorough = reader._strips.thorough
        self._max_pixels = settings.max_pixels
        self._room = Room(settings.most_pixels)
        self._together = Together(self._recognizer, metrics, company)
        # What a recognizer of words needs for lines: one for all readers, too
        self._lines = None if reads_lines(self._recognizer) else Together(reader._strips._lines(), metrics, company)
        self._constrained = Constraints(
            self._recognizer.pack.tokenizer,
            lambda constraint: Together(self._recognizer.constrained(constraint), metrics, company),
        )

    @property
    def provider(self) -> str:
        """What the recognizer runs on."""
        return self._together.provider

    def writes(self, characters: str) -> bool:
        """Whether the model can write all of these."""
        return all(c in self._recognizer.charset for c in characters)

    def read(self, picture: bytes, name: str, options: BatchOptions, boxes: list[Any] | None = None) -> Photo:
        """One photo, see `Reader.read`.

        Raises:
            WordsightError: it cannot be read, or the options are invalid.
            Refusal: the boxes cover too much, or the request is late.
        """
        width, height = _size(picture)
        pixels = min(width * height or self._max_pixels, self._max_pixels)  # unknown: as many as there may be
        strips = sum(map(_strip_pixels, boxes or ()))
        if strips > MAX_COVER * max(pixels, MAX_STRIP**2):
            raise malformed(f"the boxes cover {name} more than {MAX_COVER} times: give fewer or smaller ones")
        reader = self._reader(options, options.min_confidence)
        with self._room.of(pixels + strips):
            return reader.read(picture, boxes, name=name)

    def read_crops(self, pictures: Sequence[bytes], options: Constrained) -> list[Word | WordsightError]:
        """Pictures of one word or line each. In the place of one that cannot be read stands the error.

        Raises:
            WordsightError: the options are invalid.
            Refusal: the request is late.
        """
        reader = self._reader(options, None)
        with self._room.of(sum(min(w * h, self._max_pixels) for w, h in map(_size, pictures))):
            return list(reader.iter_crops(pictures))

    def try_out(self) -> None:
        """Reads a picture of a word, with the detector and everything.

        Raises:
            RuntimeError: no text was found in it.
        """
        picture = Image.new("RGB", (320, 120), "white")
        ImageDraw.Draw(picture).text((40, 30), "READY", "black", ImageFont.load_default(60))
        data = io.BytesIO()
        picture.save(data, "PNG")
        if not self.read(data.getvalue(), "the first picture", BatchOptions(min_confidence=0.0)).words:
            raise RuntimeError("the model found no word in a test picture: check it with `wordsight read`")

    def _reader(self, options: Constrained, min_confidence: float | None) -> Reader:
        constrained = self._constrained.of(options.allow, options.pattern, options.lexicon)
        return Reader.of(
            constrained or self._together,
            self._detector,
            self._lines,
            max_pixels=self._max_pixels,
            min_confidence=min_confidence,
            thorough=self._thorough,
            constrained=constrained is not None,
        )


class _Detector:
    """A detector that looks at `DETECTORS` pictures at a time."""

    def __init__(self, detector: Detector, metrics: Metrics) -> None:
        self._detector = detector
        self._metrics = metrics
        self._turn = threading.Semaphore(DETECTORS)

    def detect(self, image: NDArray[np.uint8]) -> Sequence[FoundBox]:
        with self._turn:
            check_deadline()
            with self._metrics.stage("detect"):
                return self._detector.detect(image)


def _size(picture: bytes) -> tuple[int, int]:
    """Width and height by the header; noughts where it cannot be told."""
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")) as image:
            return image.size
    except Exception:  # whatever is wrong with it, the reader says
        return 0, 0


def _strip_pixels(box: Any) -> int:
    """About how many pixels a box has when it is made straight; none for one that the reader will refuse."""
    try:
        points = as_polygon(box)
    except BoxError:
        return 0
    sides = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    half = len(points) // 2
    width = (sides[: half - 1].sum() + sides[half:-1].sum()) / 2
    height = (sides[half - 1] + sides[-1]) / 2
    scale = min(1.0, MAX_STRIP / max(width, height, 1))
    return int(width * height * scale**2)
