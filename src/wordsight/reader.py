"""Photos or crops in, words out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.decoding import Mode
from wordsight.detect import Detector, check_portable, look, on_demand
from wordsight.detect.packs import DEFAULT as DETECTOR
from wordsight.errors import BoxError, ConfigError, ImageError, ModelError, WordsightError, WorkerError
from wordsight.habits import explains_habits
from wordsight.imaging import MAX_PIXELS, Pyramid, Source, load_only, name_of, open_pages, rectify, several
from wordsight.imaging.geometry import as_polygon as checked
from wordsight.imaging.rectify import reduced
from wordsight.parallel import Pool
from wordsight.reading.context import SceneContexts
from wordsight.reading.lines import one_word, without_gratings, words
from wordsight.reading.looks import StripReader
from wordsight.reading.pages import ReadsPages
from wordsight.reading.parts import Recognizer
from wordsight.reading.rows import in_lines
from wordsight.reading.scenes import EncodedScene
from wordsight.reading.shipped import shipped_line_reader
from wordsight.reading.strips import Strip
from wordsight.results import Line, Photo, Word
from wordsight.text import Constraint, Dictionary

DETECTED_CONFIDENCE = 0.45
"""From which confidence on detected words count. End to end on 98 held-out scenes 83.3 with 0.4, 83.5 with 0.45."""


@explains_habits
class Reader(ReadsPages):
    """Reads words in photos and in crops.

    A reader is immutable, and any number of threads may use it at the same time. Its resources are freed with it. It
    can be pickled: other processes get a reader with the same options.

    Args:
        model: a shipped model's name, or the folder of a pack.
        device: "auto", "cpu", "cuda", "coreml" or "openvino".
        threads: CPU threads of the recognizer and of the detector; None lets ONNX Runtime choose.
        detector: the text detector: "lines", "ppocr", a detector pack's folder, or an object as `wordsight.Detector`.
        max_side: long side, in pixels, to which photos are reduced before text is detected; None: 2,000.
        max_pixels: larger images are refused.
        min_confidence: 0 to 1; words of photos below it are left out. None: 0.45 for detected words, 0 for given boxes.
            Crops always get their word.
        batch_size: crops per batch of the recognizer. It does not change the results.
        mode: how CLIP4STR decodes: "full" as in the paper, "adaptive" (the same, but the cross-modal branch reads only
            what the visual one is not sure of), "visual" (without the cross-modal branch) or "parallel" (one pass per
            branch instead of greedy decoding), see `wordsight.decoding.read_psm`. All refine what they read. It has no
            effect on `latin`, which reads in one pass.
        allow: the characters that words may contain. Give at most one of this and the next two.
        pattern: a regular expression that words must match as a whole.
        lexicon: the words that may be read; case does not matter.
        dictionary: words to prefer. An uncertain out-of-vocabulary reading is replaced by a similar dictionary word if
            the picture supports it: if the model finds that word at most 20 times less likely. "english": 122,000
            words that come with the package; other languages by their codes ("de", or "de,fr"), with the extra
            `languages`; or a list. None: no dictionary. It has no effect together with one of the three options
            above, nor for models that decode by other means than CTC or permuted sequences.
        tta: test-time augmentation: doubtful crops and given boxes are read from four more angles, and the readings
            combined, in up to twice the time. Otherwise they are read once more, deskewed, if their text looks skewed.

    Under `allow`, `pattern` or `lexicon`, a word that looks far more like something else is marked `outside` and its
    confidence lowered, so that such detected words are left out by default. The constraint applies to a whole crop,
    box or detected line, spaces included: if a line does not match, all of its words are marked.

    Raises:
        ModelError: there is no such model, or its pack is damaged.
        DeviceError: the device is not available.
        ConfigError: a number is out of range, there is no such mode or dictionary, or the model can write nothing that
            the constraint allows.
    """

    _recognizer: Recognizer
    _detector: Callable[[], Detector]
    _scenes: SceneContexts
    _strips: StripReader
    _max_pixels: int
    _min_confidence: float | None
    _batch_size: int
    _options: dict[str, Any] | None = None

    def __init__(
        self,
        model: str | Path = "latin",
        device: str = "auto",
        threads: int | None = None,
        *,
        detector: str | Path | Detector = DETECTOR,
        max_side: int | None = None,
        max_pixels: int = MAX_PIXELS,
        min_confidence: float | None = None,
        batch_size: int = 32,
        mode: Mode = "adaptive",
        allow: str | None = None,
        pattern: str | None = None,
        lexicon: Iterable[str] | None = None,
        dictionary: str | Iterable[str] | None = "english",
        tta: bool = False,
    ) -> None:
        lexicon = None if lexicon is None else tuple(lexicon)
        dictionary = dictionary if isinstance(dictionary, str | None) else tuple(dictionary)
        options = {name: value for name, value in locals().items() if name != "self"}  # to make it again elsewhere
        from wordsight.runtime import OnnxRecognizer, find_model, load_pack

        _check("threads", threads is None or threads >= 1, "at least 1, or None")
        pack = load_pack(find_model(model))
        constraint = Constraint.of(allow, pattern, lexicon, pack.tokenizer)
        known = None if dictionary is None else Dictionary.of(dictionary)
        recognizer = OnnxRecognizer(pack, device, threads, mode=mode, constraint=constraint, dictionary=known)
        self._keep(
            recognizer,
            on_demand(detector, device, threads, max_side),
            lambda: shipped_line_reader(threads),
            constraint is not None,
            max_pixels,
            min_confidence,
            batch_size,
            tta,
        )
        vars(self).update(_options=options)

    @classmethod
    def of(
        cls,
        recognizer: Recognizer,
        detector: Detector | None = None,
        lines: Recognizer | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
        min_confidence: float | None = None,
        batch_size: int = 32,
        tta: bool = False,
        constrained: bool = False,
    ) -> "Reader":
        """A reader made from existing parts.

        Args:
            recognizer: a recognizer of words or, if its `preprocessing` has no width, of lines.
            detector: the text detector; None: the shipped one.
            lines: the recognizer that splits lines into words for a recognizer of words. None: the default model.
            max_pixels: as in `Reader`, like the next three.
            min_confidence: as in `Reader`.
            batch_size: as in `Reader`.
            tta: as in `Reader`.
            constrained: whether the recognizer reads under a constraint: then even one of words is shown whole lines.
        """
        reader = cls.__new__(cls)
        reader._keep(
            recognizer,
            on_demand(detector or DETECTOR),
            lambda: lines or shipped_line_reader(None),
            constrained,
            max_pixels,
            min_confidence,
            batch_size,
            tta,
        )
        return reader

    def _keep(
        self,
        recognizer: Recognizer,
        detector: Callable[[], Detector],
        line_reader: Callable[[], Recognizer],
        constrained: bool,
        max_pixels: int,
        min_confidence: float | None,
        batch_size: int,
        tta: bool,
    ) -> None:
        _check("max_pixels", max_pixels >= 1, "at least 1")
        _check("min_confidence", min_confidence is None or 0 <= min_confidence <= 1, "between 0 and 1")
        _check("batch_size", batch_size >= 1, "at least 1")
        vars(self).update(
            _recognizer=recognizer,
            _detector=cache(detector),  # made for the first photo: reading crops needs none
            _scenes=SceneContexts(recognizer),
            _strips=StripReader(recognizer, line_reader, batch_size, whole=constrained, tta=tta),
            _max_pixels=max_pixels,
            _min_confidence=min_confidence,
            _batch_size=batch_size,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Reader, **self._made_of()), ()

    def _made_of(self) -> dict[str, Any]:
        if self._options is None:
            raise ConfigError(
                "a reader made by Reader.of cannot be sent to another process: make one there of the same parts"
            )
        check_portable(self._options["detector"])
        return self._options

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Reader is immutable: make another one instead of setting {name!r}")

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider that the recognizer runs on."""
        return self._recognizer.provider

    @property
    def takes_scenes(self) -> bool:
        """Whether its model can be conditioned on the photo that a crop comes from (CLIPTER)."""
        return self._scenes.taken

    def scene(self, source: Source, *, name: str | None = None) -> EncodedScene:
        """Encodes a photo once, as context for crops of it: pass the result to `read_crops` as often as you like.

        Raises:
            ConfigError: the model takes no scenes.
            ImageError: the photo cannot be read.
        """
        self._scenes.check(True)
        return self._scenes.encode(load_only(source, name=name or name_of(source), max_pixels=self._max_pixels))

    def read(
        self,
        source: Source,
        boxes: Iterable[ArrayLike] | None = None,
        *,
        name: str | None = None,
        context: bool | EncodedScene | None = None,
        page: int | None = None,
        dpi: float | None = None,
    ) -> Photo:
        """Reads one photo.

        Args:
            source: the photo, in any form that `wordsight.open_pages` takes.
            boxes: polygons (N, 2), N at least 4, in pixels of the upright image, clockwise from the top left of the
                text; with more than four points, the first half is the top edge. Each is read as one word, spaces
                included, in a line of its own; 10,000 at most. None: text is detected.
            name: the photo's name in the result and in error messages; its path by default.
            context: whether the model is conditioned on the whole photo. None: if it can be. An `EncodedScene`: that
                one is used instead.
            page: the page of a file with several, from 1. None: the first, and a problem says that there are others.
            dpi: pixels per inch at which a page of a PDF is rendered. None: 200.

        Returns:
            The words that were found. Boxes without text are left out, and words below `min_confidence` are in
            `rejected`. A box that cannot be read is one of the photo's `problems`; the others are read.

        Raises:
            ImageError: the photo cannot be read.
            BoxError: there are too many boxes.
            ConfigError: the model takes no scenes, or the scene was encoded for another model.
        """
        with open_pages(source, name=name or name_of(source), max_pixels=self._max_pixels, dpi=dpi) as pages:
            photo = self._page(source, pages, page or 1, name or name_of(source), boxes, context)
            left_out = (pages.others(),) if page is None and len(pages) > 1 else ()
        return replace(photo, problems=left_out + photo.problems)

    def iter_read(self, sources: Iterable[Source], *, workers: int = 1) -> Iterator[Photo | WordsightError]:
        """Reads photos in order, holding one in memory, or a few per worker.

        With more than one worker, processes read with readers of the same options, one thread each unless `threads` was
        given; a script must then call this under `if __name__ == "__main__":`. A reader made by `Reader.of` cannot do
        this and raises ConfigError.

        Yields the photo of each source or, if it cannot be read, the error, whose text names it.
        """
        if workers == 1:
            yield from map(self._photo_or_error, several(sources))
            return
        options = self._made_of()
        with Pool(partial(_photo_reader, {**options, "threads": options["threads"] or 1}), workers) as pool:
            for source, result in pool.in_order(several(sources)):
                yield ImageError(f"{name_of(source)}: {result}") if isinstance(result, WorkerError) else result

    def _photo_or_error(self, source: Source) -> Photo | WordsightError:
        try:
            return self.read(source)
        except WordsightError as error:
            return error

    def read_crops(
        self, crops: Iterable[Source], scene: EncodedScene | Iterable[EncodedScene | None] | None = None
    ) -> list[Word]:
        """Reads pictures that show one word or line each. Returns one word per picture, empty if it has no text.

        A crop more than one and a half times as high as wide is also read rotated to either side and as stacked
        letters; any other doubtful crop whose text looks skewed is also read deskewed; the most confident reading
        counts. A crop more than forty times as wide as high is read in parts. Upside-down crops are not tried (boxes in
        photos are): of 452 training crops that gained 1 and lost 3.

        Args:
            crops: the pictures.
            scene: the photo that they come from, see `scene`, or one (or None) for each of them. A model that uses the
                position of crops takes them to cover the photo, unless the scene is given as `scene.at(polygon)`.
                None: no scene context.

        Raises:
            ImageError: a crop cannot be read (`iter_crops` reads the others).
            ConfigError: the model takes no scenes, or the scene was encoded for another model.
        """
        out = []
        for result in self.iter_crops(crops, scene):
            if isinstance(result, WordsightError):
                raise result
            out.append(result)
        return out

    def iter_crops(
        self, crops: Iterable[Source], scene: EncodedScene | Iterable[EncodedScene | None] | None = None
    ) -> Iterator[Word | WordsightError]:
        """Reads crops in order, holding `batch_size` of them in memory. Arguments are those of `read_crops`.

        Yields the word of each crop (with the crop's outline as polygon) or, if it cannot be read, the error.
        """
        crops = iter(several(crops))
        scenes = repeat(scene) if scene is None or isinstance(scene, EncodedScene) else iter(scene)
        while chunk := list(islice(crops, self._batch_size)):
            given = list(islice(scenes, len(chunk)))
            if len(given) < len(chunk):
                raise ConfigError("there are fewer scenes than crops: give one for each, or None")
            loaded = [self._crop(source, one) for source, one in zip(chunk, given, strict=True)]
            strips = [strip for strip in loaded if isinstance(strip, Strip)]
            try:
                attempts = iter(self._strips.read(strips, angles=True))
            except ModelError as error:  # these crops make the model fail, others may not
                yield from (error if isinstance(item, Strip) else item for item in loaded)
                continue
            for item in loaded:
                yield one_word(next(attempts)) if isinstance(item, Strip) else item

    def _crop(self, source: Source, scene: EncodedScene | None) -> Strip | WordsightError:
        if scene is not None:
            self._scenes.check(scene)
            scene = scene.somewhere()
        try:
            image = load_only(source, name=name_of(source), max_pixels=self._max_pixels)
        except WordsightError as error:
            return error
        height, width = image.shape[:2]
        outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
        return Strip(reduced(image), outline, scene)

    def _detected(
        self, source: Source, name: str, context: bool | EncodedScene, rejected: list[Word]
    ) -> tuple[tuple[int, int], list[Line], list[str]]:
        image, size, polygons = look(self._detector(), source, name, self._max_pixels, whole=context is not False)
        strips = []
        problems = []
        for number, polygon in enumerate(polygons, 1):
            try:
                polygon = checked(polygon)
                strips.append(Strip(rectify(image, polygon), polygon * (size[0] / image.shape[0])))
            except BoxError as error:
                problems.append(f"box {number} of the detector: {error}")
        texts = without_gratings(self._strips.read(self._scenes.added(strips, image, context), turn="photo"))
        sure = ((each.strip.polygon, self._sure(words(each), DETECTED_CONFIDENCE, rejected)) for each in texts)
        lines = in_lines([(polygon, found) for polygon, found in sure if found])  # which way up is known only now
        return size, lines, problems

    def _given(
        self, image: NDArray[np.uint8], boxes: Iterable[ArrayLike], context: bool | EncodedScene, rejected: list[Word]
    ) -> tuple[list[Line], list[str]]:
        lines: list[Line] = []
        problems: list[str] = []
        photo, numbered = Pyramid(image), enumerate(boxes, 1)
        while chunk := list(islice(numbered, self._batch_size)):
            strips = []
            for number, box in chunk:
                try:
                    polygon = checked(box)
                    strips.append(Strip(photo.cut(polygon), polygon))
                except BoxError as error:
                    problems.append(f"box {number}: {error}")
            strips = self._scenes.added(strips, image, context)
            context = strips[0].scene or False if strips else context  # encoded once
            attempts = self._strips.read(strips, turn="each", angles=True)
            found = [self._sure([one_word(attempt)], 0.0, rejected) for attempt in attempts]
            lines += [Line(each, each[0].polygon) for each in found if each]
        return lines, problems

    def _sure(self, found: Iterable[Word], default: float, rejected: list[Word]) -> tuple[Word, ...]:
        """The words that are sure enough; the others join `rejected`."""
        least = default if self._min_confidence is None else self._min_confidence
        legible = [word for word in found if word.text]
        rejected += [replace(word, rejected=True) for word in legible if word.confidence < least]
        return tuple(word for word in legible if word.confidence >= least)


def _photo_reader(options: dict[str, Any]) -> Callable[[Source], Photo | WordsightError]:
    return Reader(**options)._photo_or_error


def _check(name: str, good: bool, wanted: str) -> None:
    if not good:
        raise ConfigError(f"{name} must be {wanted}")
