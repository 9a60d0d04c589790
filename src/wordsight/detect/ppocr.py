"""The PP-OCR text detector (differentiable binarization) whose ONNX file ships inside the `rapidocr` wheel.

RapidOCR's own engine keeps the options of a call for the next one, and its detector object writes to itself while it
runs, so only the model file is taken from it. All numbers below are the defaults of RapidOCR 3.10 (`config.yaml` in
its wheel), so that with `unclip=1.6` the boxes are the same, apart from its rounding to whole pixels. By default they
are tighter: RapidOCR's are a third higher than what people draw around words.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import ModelError
from wordsight.imaging.geometry import upright

_MODEL = "PP-OCRv6_det_small.onnx"
_MIN_SHORT, _MAX_LONG = 30, 2000  # Global.min_side_len, max_side_len: sides of the picture before anything else
_MAX_ASPECT = 8  # Global.width_height_ratio: longer pictures are padded to half of it
_NETWORK_SHORT = 736  # Det.limit_side_len: the network sees at least this
_STRIDE = 32
_THRESHOLD = 0.3  # Det.thresh: probability of a text pixel
_MIN_SCORE = 0.5  # Det.box_thresh: mean probability in a box
_UNCLIP = 1.6  # Det.unclip_ratio: the network marks the core of a line; this times area / perimeter is added around
# The same, for the boxes that come out. On 156 training scenes of ICDAR 2015, lines cut at the annotated gaps have an
# H-mean (IoU > 0.5) of 69.7 at 1.6, 74.7 at 1.2, 76.1 at 1.0 and 76.9 at 0.85. Not lower, for the sake of what is read.
_TIGHT_UNCLIP = 1.0
_MAX_BOXES = 1000  # Det.max_candidates
_MIN_SIDE = 3  # pixels of the probability map; of a box before growing, and, plus two, after


@dataclass(frozen=True, eq=False)
class Box:
    """A detected line: polygon (4, 2) float64 in pixels from its top left, clockwise; score in 0..1."""

    polygon: NDArray[np.float64]
    score: float


class PPOCRDetector:
    """Finds lines of text. Immutable after construction; any number of threads may call `detect` at once.

    Args:
        threads: threads of one inference; by default as many as there are cores.
        unclip: how far boxes reach around the core of a line, times its area by its perimeter; RapidOCR's is 1.6.

    Raises:
        ModelError: the detector's model file is not in the installed `rapidocr`.
    """

    def __init__(self, threads: int | None = None, *, unclip: float = _TIGHT_UNCLIP) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.enable_cpu_mem_arena = False  # pictures differ in size, and an arena keeps the largest of each kind
        options.intra_op_num_threads = threads or 0
        path = model_path()
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{path} cannot be loaded: reinstall rapidocr (3.10 or later)") from error
        self._unclip = unclip
        self._input: str = self._session.get_inputs()[0].name

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """The lines of text in a picture, from the top down.

        Which corner of a box is its text's top left is a guess: the one that makes the top edge point most to the
        right. Text that stands on its side or its head therefore comes with a polygon turned by a quarter or a half.

        Args:
            image: uint8 RGB (H, W, 3).

        Returns:
            At most 1,000 boxes, clipped to the image.
        """
        height, width = image.shape[:2]
        batch, frame = _network_input(image)
        probability = self._session.run(None, {self._input: batch})[0][0, 0]
        boxes = []
        for quad, score in _boxes(probability, self._unclip):
            polygon = np.clip(quad * frame.scale - frame.offset, 0, (width, height))
            if np.linalg.norm(polygon[1:3] - polygon[0:2], axis=1).min() >= 1:  # else it lies in the padding
                boxes.append(Box(polygon, score))
        return sorted(boxes, key=lambda box: (box.polygon[0, 1], box.polygon[0, 0]))


def model_path() -> Path:
    """Where the detector's ONNX file is.

    Raises:
        ModelError: `rapidocr` is not installed, or without the file.
    """
    spec = importlib.util.find_spec("rapidocr")  # found, not imported: it would configure logging and load much
    if spec is None or spec.origin is None:
        raise ModelError("the text detector needs rapidocr: pip install 'rapidocr>=3.10'")
    path = Path(spec.origin).parent / "models" / _MODEL
    if not path.is_file():
        raise ModelError(f"{path} is missing: pip install --force-reinstall 'rapidocr>=3.10,<4'")
    return path


@dataclass(frozen=True)
class _Frame:
    """How the probability map lies on the picture: point * scale - offset; both (x, y)."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]


def _network_input(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], _Frame]:
    import cv2

    height, width = image.shape[:2]
    bounded: NDArray[Any] = _resize(image, _bounded_size(height, width))
    shrink = np.array([width / bounded.shape[1], height / bounded.shape[0]])
    top, left = _padding(*bounded.shape[:2])
    if top or left:
        bounded = cv2.copyMakeBorder(bounded, top, top, left, left, cv2.BORDER_REPLICATE)
    resized = _resize(bounded, _network_size(*bounded.shape[:2]))
    values = resized[:, :, ::-1].astype(np.float32)  # trained on OpenCV's order, blue first
    values *= np.float32(2 / 255)
    values -= np.float32(1)
    scale = np.array([bounded.shape[1] / resized.shape[1], bounded.shape[0] / resized.shape[0]])
    frame = _Frame(scale * shrink, np.array([left, top]) * shrink)
    return np.ascontiguousarray(values.transpose(2, 0, 1))[None], frame


def _resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    height, width = size
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, height)), dtype=np.uint8)


def _bounded_size(height: int, width: int) -> tuple[int, int]:
    """Long side at most 2,000; then the short one at least 30, as long as the long one stays within."""
    if max(height, width) > _MAX_LONG:
        height, width = _scaled(height, width, _MAX_LONG / max(height, width))
    if min(height, width) < _MIN_SHORT:
        height, width = _scaled(height, width, min(_MIN_SHORT / min(height, width), _MAX_LONG / max(height, width)))
    return height, width


def _network_size(height: int, width: int) -> tuple[int, int]:
    return _scaled(height, width, max(1.0, _NETWORK_SHORT / min(height, width)))


def _scaled(height: int, width: int, ratio: float) -> tuple[int, int]:
    """Both sides times `ratio`, to the nearest multiple of the network's stride."""
    return _to_stride(int(height * ratio)), _to_stride(int(width * ratio))


def _to_stride(side: int) -> int:
    return max(_STRIDE, round(side / _STRIDE) * _STRIDE)


def _padding(height: int, width: int) -> tuple[int, int]:
    """How many pixels above and below, left and right, make a long picture 4:1; its border is repeated there.

    RapidOCR pads in black, along whose edge less is found (two words in a white picture of 150 x 1600 are not), and
    wide pictures only; a tall one would be enlarged to 736 pixels of width and as many times of height.
    """
    if height <= _MIN_SHORT or width > _MAX_ASPECT * height:
        return abs(max(width // _MAX_ASPECT, _MIN_SHORT) * 2 - height) // 2, 0
    if height > _MAX_ASPECT * width:
        return 0, abs(max(height // _MAX_ASPECT, _MIN_SHORT) * 2 - width) // 2
    return 0, 0


def _boxes(probability: NDArray[np.float32], unclip: float) -> list[tuple[NDArray[np.float64], float]]:
    """Rectangles around the connected regions of a probability map, grown to full text height, with their scores."""
    import cv2

    core = (probability > _THRESHOLD).astype(np.uint8)
    mask = cv2.dilate(core, np.ones((2, 2), np.uint8))  # Det.use_dilation
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for contour in contours[:_MAX_BOXES]:
        centre, (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < _MIN_SIDE:
            continue
        score = _score(probability, cv2.boxPoints((centre, (w, h), angle)))
        if score < _MIN_SCORE:
            continue
        # Offsetting a rectangle with round corners and boxing it again is the same as growing its sides
        growth = w * h / (w + h)  # twice the area by the perimeter
        if min(w, h) + growth * _UNCLIP < _MIN_SIDE + 2:
            continue
        quad = cv2.boxPoints((centre, (w + growth * unclip, h + growth * unclip), angle)).astype(np.float64)
        boxes.append((upright(quad), score))
    return boxes


def _score(probability: NDArray[np.float32], quad: NDArray[Any]) -> float:
    """The mean probability inside a rectangle."""
    import cv2

    height, width = probability.shape
    x0, y0 = np.clip(np.floor(quad.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(quad.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    inside = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(inside, [(quad - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(probability[y0 : y1 + 1, x0 : x1 + 1], inside)[0])
