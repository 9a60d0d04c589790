"""Text detection for a reader: the protocol, and our detector."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.detect.frames import STRIDE, framed, network_input
from wordsight.detect.glance import BLOCK, text_map
from wordsight.detect.large import REDUCED, is_large, suggest_large, with_large
from wordsight.detect.maps import Region, find_regions
from wordsight.detect.packs import DEFAULT, find_detector
from wordsight.errors import ConfigError, ImageError, ModelError
from wordsight.imaging import load_image
from wordsight.imaging.geometry import few, word_height
from wordsight.imaging.reduced import load_reduced
from wordsight.imaging.sources import reason
from wordsight.runtime.sessions import choose_provider, run_session, session_options, start_session

MAX_SIDE = 2000
"""Default long side, in pixels, of what a detector is shown."""

_CURE = "export or install it again"
_LONGEST = 1 << 30  # pixels: no picture is longer, and it is a number that arithmetic in floats stands
_ROUNDING = 1e-3  # of probabilities, also in half precision


class FoundBox(Protocol):
    """A detected word or line."""

    @property
    def polygon(self) -> NDArray[np.float64]:
        """(N, 2) float64, N even and at least 4, in pixels, clockwise from the top left of the text.

        The first half of the points runs along the top edge.
        """


class Detector(Protocol):
    """What a reader needs from a detector: any object with this method will do.

    It may also have an attribute `max_side`: the long side, in pixels, beyond which a larger picture makes no
    difference to it. Larger JPEGs are then decoded at reduced size.
    """

    def detect(self, image: NDArray[np.uint8]) -> Sequence[FoundBox]:
        """Finds lines or words in an image, uint8 RGB (H, W, 3). It may be called by several threads at once."""


@dataclass(frozen=True, eq=False)
class Box:
    """A detected line or word: polygon as in `FoundBox`, score in 0..1."""

    polygon: NDArray[np.float64]
    score: float


class TextDetector:
    """Detects text from a probability map (DB), computed where a glance at the picture sees that text may be.

    Immutable; any number of threads may call `detect` at once.

    Args:
        model: "lines", which is shipped; "ppocr", PP-OCRv6 small's as published, which needs `rapidocr`; or the folder
            of a detector's pack.
        device: "auto", "cpu", "cuda", "coreml" or "openvino".
        threads: CPU threads per inference; None lets ONNX Runtime choose.
        max_side: larger pictures are reduced to this long side, in pixels.
        threshold: lowest probability of a text pixel; None: as the detector's pack says, as with the next two.
        min_score: lowest mean probability of a region.
        unclip: how far boxes are expanded around the core of a region, in units of its area divided by its perimeter.

    Raises:
        ModelError: there is no such detector, or it is damaged.
        DeviceError: the device is not available.
        ConfigError: a number is out of range.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT,
        device: str = "auto",
        threads: int | None = None,
        *,
        max_side: int = MAX_SIDE,
        threshold: float | None = None,
        min_score: float | None = None,
        unclip: float | None = None,
    ) -> None:
        given = {"threshold": threshold, "min_score": min_score, "unclip": unclip}
        own: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self._pack = pack = replace(find_detector(model), **own)
        self._max_side = _checked_side(max_side)
        if threads is not None and not (isinstance(threads, Integral) and threads >= 1):
            raise ConfigError("threads must be a whole number, at least 1, or None")

        def start(provider: str, file: Path = pack.file) -> Any:
            options = session_options(int(threads or 0))
            # An arena keeps the most memory that a picture ever took: little for the glance, which without one spends
            # two fifths of its time on fetching memory from the system and giving it back
            options.enable_cpu_mem_arena = file == pack.glance
            return start_session(file, provider, options, f"detector {pack.name}", _CURE)

        self.provider = choose_provider(device, start)
        """The ONNX Runtime execution provider it runs on."""
        self._session = start(self.provider)
        self._glance = start(self.provider, pack.glance) if pack.glance else None

    @property
    def max_side(self) -> int:
        """The long side, in pixels, to which pictures are reduced."""
        return self._max_side

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """Detects the lines or words in a picture, from top to bottom.

        The first corner of a box is a guess: the one that makes the top edge point furthest to the right. Text that is
        sideways or upside down therefore gets a polygon rotated by 90 or 180 degrees.

        Args:
            image: uint8 RGB (H, W, 3).

        Returns:
            At most 1,000 boxes, clipped to the image: of four corners, or of more points along bent text.

        Raises:
            ImageError: it is no such picture.
            ModelError: its graphs fail, or what comes out are no probabilities of this picture.
        """
        if not isinstance(image, np.ndarray):
            raise ImageError(f"{_kind(image)} is no picture, uint8 RGB (H, W, 3): see load_image")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ImageError(f"{image.dtype} {image.shape} is no picture, uint8 RGB (H, W, 3): see load_image")
        height, width = image.shape[:2]
        regions, scale = self._regions(image, self._max_side)
        if suggest_large([scale * polygon for polygon, _ in regions]):
            copied, _ = self._regions(image, max(STRIDE, round(scale * max(height, width) / REDUCED)))
            regions = with_large(regions, [region for region in copied if is_large(scale * region[0])])
        boxes = [Box(polygon, score) for polygon, score in regions]
        return sorted(boxes, key=lambda box: (box.polygon[:, 1].min(), box.polygon[:, 0].min()))

    def _regions(self, image: NDArray[np.uint8], max_side: int) -> tuple[list[Region], float]:
        """Regions in pixels of a picture, and how many times as large as it is the network saw it."""
        height, width = image.shape[:2]
        picture, frame = framed(image, max_side)
        pack, regions = self._pack, []
        for region, score in find_regions(self._map(picture), pack.threshold, pack.min_score, pack.unclip):
            polygon = np.clip(frame.to_picture(region), 0, (width, height))
            if _sides(polygon).min() >= 1:  # else it lies in the margin
                regions.append((polygon, score))
        return regions, frame.scale

    def _map(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The probability of text (H, W) in a picture, uint8 RGB (H, W, 3)."""

        def blocks(half: NDArray[np.uint8]) -> NDArray[np.float32]:
            height, width = half.shape[:2]
            return np.asarray(self._run(self._glance, half, (1, 2 * height // BLOCK, 2 * width // BLOCK))[0])

        def pixels(part: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.asarray(self._run(self._session, part, (1, 1, *part.shape[:2]))[0, 0])

        return text_map(picture, blocks if self._glance else None, pixels, self._pack.suspicion)

    def _run(self, session: Any, picture: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """What a graph says of a picture, which must be of this shape."""
        pack, what = self._pack, f"detector {self._pack.name}"
        batch = network_input(picture, pack.mean, pack.std, blue_first=pack.blue_first)
        out: NDArray[np.float32] = run_session(session, {session.get_inputs()[0].name: batch}, what, _CURE)[0]
        if out.shape != shape:
            raise ModelError(f"{what} gives {out.shape} instead of {shape}: {_CURE}")
        if out.min() < -_ROUNDING or out.max() > 1 + _ROUNDING:
            raise ModelError(f"{what} gives {out.min():g} to {out.max():g} instead of probabilities: {_CURE}")
        return out


def look(
    detector: Detector, source: Any, name: str | None, max_pixels: int, *, whole: bool = False
) -> tuple[NDArray[np.uint8], tuple[int, int], list[NDArray[np.float64]]]:
    """A photograph with the polygons that a detector finds in it, decoded no larger than it needs to be.

    Args:
        detector: what finds them.
        source: the photograph, as in `wordsight.imaging.load_image`.
        name: what error messages call it.
        max_pixels: larger ones are refused.
        whole: whether it is decoded as a whole all the same.

    Returns:
        The image, uint8 RGB (h, w, 3); height and width of the whole photograph, of which the image may be a reduced
        copy; and polygons in pixels of the image. Where text that was found would be too low to be read well, the
        image is the whole photograph.

    Raises:
        ImageError: it cannot be read.
        ModelError: the detector's boxes have no polygons.
        BoxError: there are more than 10,000.
    """
    longest = getattr(detector, "max_side", None)
    if longest is None or whole:
        image = load_image(source, name=name, max_pixels=max_pixels)
        return image, image.shape[:2], _polygons(detector.detect(image), name)
    image, size = load_reduced(source, longest, name=name, max_pixels=max_pixels)
    polygons = _polygons(detector.detect(image), name)
    if image.shape[0] < size[0] and any(word_height(polygon) < _READABLE for polygon in polygons):
        scale = size[0] / image.shape[0]
        image = load_image(source, name=name, max_pixels=max_pixels)
        polygons = [polygon * scale for polygon in polygons]
    return image, size, polygons


def _polygons(found: Sequence[FoundBox], name: str | None) -> list[NDArray[np.float64]]:
    try:
        return few((np.asarray(box.polygon, np.float64) for box in found), name or "the detector")
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"the detector gives no boxes with polygons ({error}): see wordsight.FoundBox") from None


_READABLE = 48.0
"""Pixels: the height in which recognizers see text; crops that are lower are read better from the whole photograph."""


def on_demand(
    detector: str | Path | Detector,
    device: str = "auto",
    threads: int | None = None,
    max_side: int | None = None,
) -> Callable[[], Detector]:
    """What makes a detector of a name or pack when it is needed: who reads crops needs none. Objects are as they are.

    Raises:
        ModelError: there is no such pack, or it is damaged.
        ConfigError: it is no detector; `max_side` is too small, or given beside an object.
    """
    if not isinstance(detector, str | Path):
        if isinstance(detector, type) or not callable(getattr(detector, "detect", None)):
            raise ConfigError(
                f"{_kind(detector)} is no detector: give a name, a folder, or an object with detect(image)"
            )
        if not isinstance(getattr(detector, "max_side", None), Integral | None):
            raise ConfigError(f"max_side of {_kind(detector)} must be a whole number of pixels")
        if max_side is not None:
            raise ConfigError("max_side is only for detectors given by name: pass it to the detector itself")
        return lambda: detector
    if str(detector) != DEFAULT:
        find_detector(detector)
    side = _checked_side(MAX_SIDE if max_side is None else max_side)
    return lambda: TextDetector(detector, device, threads, max_side=side)


def check_portable(detector: str | Path | Detector) -> None:
    """Tells whether other processes can be given a detector.

    Raises:
        ConfigError: it is an object that cannot be pickled.
    """
    try:
        pickle.dumps(detector)
    except Exception as error:  # whatever its own __reduce__ or __getstate__ raises
        raise ConfigError(
            f"the detector, {_kind(detector)}, cannot be sent to another process ({reason(error)}): give a detector's "
            "name or folder, or an object that can be pickled"
        ) from None


def _kind(thing: object) -> str:
    """What messages call an object that somebody passed: its repr may be long, or an address."""
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"an object of type {type(thing).__name__}"


def _checked_side(max_side: int) -> int:
    if not (isinstance(max_side, Integral) and max_side >= STRIDE):
        raise ConfigError(f"max_side must be a whole number of pixels, at least {STRIDE}")
    return min(int(max_side), _LONGEST)


def _sides(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels along its top and down its left side."""
    middle = len(polygon) // 2
    return np.array([np.linalg.norm(polygon[middle - 1] - polygon[0]), np.linalg.norm(polygon[-1] - polygon[0])])
