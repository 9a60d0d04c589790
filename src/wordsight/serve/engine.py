"""One model for all requests: readers that differ in options share its sessions, and words go through it together."""

import io
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wordsight.detect import FoundBox, TextDetector
from wordsight.errors import BoxError, ModelError, WordsightError
from wordsight.imaging.frames import counted
from wordsight.imaging.geometry import as_polygon
from wordsight.imaging.rectify import MAX_STRIP
from wordsight.reader import Reader
from wordsight.reading.looks import reads_lines
from wordsight.reading.shipped import shipped_line_reader
from wordsight.results import Photo, Word
from wordsight.runtime import OnnxRecognizer
from wordsight.runtime.sessions import PROVIDERS, processors
from wordsight.serve.constraints import Constraints
from wordsight.serve.crowd import Crowd, Turns
from wordsight.serve.desk import Room
from wordsight.serve.metrics import Metrics
from wordsight.serve.options import BatchOptions, Constrained
from wordsight.serve.refusals import malformed
from wordsight.serve.settings import MAX_COVER, Settings
from wordsight.serve.together import Shared, Together

T = TypeVar("T")


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
        threads = settings.threads or processors()
        reader = Reader(settings.model, settings.device, threads, max_pixels=settings.max_pixels)
        self._recognizer = cast(OnnxRecognizer, reader._recognizer)
        on_cpu = self._recognizer.provider == PROVIDERS["cpu"]
        lanes = min(threads, settings.workers) if on_cpu else 1  # a GPU computes one batch at a time best

        def crowd(make: Callable[[int], T]) -> Crowd[T]:
            alone = make(threads)
            return Crowd(alone, alone if lanes == 1 else make(threads // lanes), lanes, company)

        def recognizer(threads: int) -> OnnxRecognizer:
            mine = self._recognizer
            if threads == mine.threads:
                return mine
            return OnnxRecognizer(
                mine.pack, settings.device, threads, mode=mine.settings.mode, dictionary=mine.settings.dictionary
            )

        self._turns = Turns(max(2, lanes) if on_cpu else settings.workers)  # two: a long one must not stop the others

        def shared(recognizers: Crowd[Any]) -> Shared:
            return Shared(recognizers.now, metrics, None if on_cpu else company, self._turns.pass_on)

        recognizers = crowd(recognizer)
        detectors = crowd(lambda threads: TextDetector(device=settings.device, threads=threads))
        self._detector = _Detector(detectors, metrics, self._turns.pass_on)
        self._tta = reader._strips.tta
        self._max_pixels = settings.max_pixels
        self._room = Room(settings.most_pixels)
        self._shared = shared(recognizers)
        # What a recognizer of words needs for lines: one for all readers, too
        self._lines = None if reads_lines(self._recognizer) else shared(crowd(shipped_line_reader))
        self._constrained = Constraints(
            self._recognizer.pack.tokenizer,
            lambda constraint: shared(recognizers.mapped(lambda each: each.constrained(constraint))),
            self._turns.turn,
            max(1, settings.workers // 2),
        )
        self._crops: Together[bytes, Word | WordsightError]
        self._crops = Together(self._read_together, company, self._turns.most, patience=0.0)

    @property
    def provider(self) -> str:
        """What the recognizer runs on."""
        return self._shared.provider

    def writes(self, characters: str) -> bool:
        """Whether the model can write all of these."""
        return all(c in self._recognizer.charset for c in characters)

    def read(self, picture: bytes, name: str, options: BatchOptions, boxes: list[Any] | None = None) -> Photo:
        """One photo, see `Reader.read`.

        Raises:
            WordsightError: it cannot be read, or the options are invalid.
            Refusal: the boxes cover too much, or the request is late.
        """
        pixels = min(_pixels(picture) or self._max_pixels, _DEEP * self._max_pixels)  # unknown: as many as may be
        strips = sum(map(_strip_pixels, boxes or ()))
        if strips > MAX_COVER * max(pixels, MAX_STRIP**2):
            raise malformed(f"the boxes cover {name} more than {MAX_COVER} times: give fewer or smaller ones")
        reader = self._reader(options, options.min_confidence)
        with self._room.of(pixels + strips), self._turns.turn():
            return reader.read(picture, boxes, name=name)

    def read_crops(self, pictures: Sequence[bytes], options: Constrained) -> list[Word | WordsightError]:
        """Pictures of one word or line each. In the place of one that cannot be read stands the error.

        Raises:
            WordsightError: the options are invalid.
            Refusal: the request is late.
        """
        constraint = options.allow, options.pattern, options.lexicon
        self._constrained.of(*constraint)  # here, as what is wrong with it concerns nobody else
        with self._room.of(sum(min(pixels, _DEEP * self._max_pixels) for pixels in map(_pixels, pictures))):
            results = self._crops.do(pictures, constraint)
            if any(isinstance(result, ModelError) for result in results):  # crops of others may be to blame
                results = self._read_together(constraint, pictures)
        return results

    def _read_together(self, constraint: Any, pictures: Sequence[bytes]) -> list[Word | WordsightError]:
        """Crops of one request or several. The same constraint asks for the same recognizer."""
        allow, pattern, lexicon = constraint
        reader = self._reader(Constrained(allow=allow, pattern=pattern, lexicon=lexicon), None)
        with self._turns.turn():
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
            constrained or self._shared,
            self._detector,
            self._lines,
            max_pixels=self._max_pixels,
            min_confidence=min_confidence,
            tta=self._tta,
            constrained=constrained is not None,
        )


class _Detector:
    """A detector, shared."""

    def __init__(self, detectors: Crowd[TextDetector], metrics: Metrics, before: Callable[[], None]) -> None:
        self._detectors = detectors
        self._metrics = metrics
        self._before = before
        self._few = threading.Semaphore(max(2, detectors.most))  # more at a time are no quicker and take memory

    @property
    def max_side(self) -> int:
        """Of the detector: with it large JPEGs are decoded reduced."""
        return self._detectors.alone.max_side

    def detect(self, image: NDArray[np.uint8]) -> Sequence[FoundBox]:
        self._before()
        with self._few, self._metrics.stage("detect"):
            return self._detectors.now().detect(image)


_DEEP = 4
"""As how many others a pixel of 16 bits a colour counts: it takes over twice the memory while it is decoded."""


def _pixels(picture: bytes) -> int:
    """Pixels by the header, those of 16 bits a colour counted as `_DEEP`; 0 where it cannot be told."""
    try:
        counted(io.BytesIO(picture), picture[:16], "it")  # what takes long to look through is refused before it is
        with Image.open(io.BytesIO(picture), formats=("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")) as image:
            deep = any(";16" in str(tile.args) for tile in image.tile[:1])
            return image.width * image.height * (_DEEP if deep else 1)
    except Exception:  # whatever is wrong with it, the reader says
        return 0


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
