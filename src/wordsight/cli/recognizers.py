"""Our packs and other people's recognizers behind one small interface, so that they are compared on equal terms."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from wordsight.decoding import Mode

    Crop = npt.NDArray[np.uint8]
    Corners = npt.NDArray[np.float64]

Settings = dict[str, str | int]
"""What a recognizer's numbers depend on besides the crops."""

_TOGETHER = 512  # crops in a batch at most: whoever reads many says himself how many at a time


class CropReader(Protocol):
    """Reads word crops."""

    name: str
    settings: Settings

    def read(self, crops: Sequence["Crop"]) -> list[tuple[str, float]]:
        """Text and confidence (0 to 1) of each crop, uint8 RGB (H, W, 3)."""
        ...


class SceneReader(Protocol):
    """Finds and reads the words of a photograph."""

    name: str
    settings: Settings

    def find(self, image: "Crop") -> list[tuple["Corners", str]]:
        """Polygon (N, 2) in pixels and text of each word, in uint8 RGB (H, W, 3)."""
        ...


def open_crop_reader(model: str, threads: int | None = None, mode: "Mode" = "full") -> CropReader:
    """The recognizer called `rapidocr` or `tesseract`, else the pack `model`.

    Raises:
        ModelError: it is not there.
    """
    if model == "rapidocr":
        return RapidOcr(threads)
    if model == "tesseract":
        return Tesseract(threads)
    return PackReader(model, threads, mode)


def open_scene_reader(model: str, threads: int | None = None, mode: "Mode" = "full") -> SceneReader:
    """The whole of RapidOCR, or a reader with the pack `model`.

    Raises:
        ModelError: it is not there.
        ConfigError: it cannot find words.
    """
    if model == "tesseract":
        from wordsight.errors import ConfigError

        raise ConfigError("tesseract is compared on crops only: leave out --end-to-end, or choose rapidocr")
    if model == "rapidocr":
        return RapidOcr(threads)
    return PackReader(model, threads, mode)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PackReader:
    """A `Reader` with one of our packs: what users get, so tall crops are turned and very wide ones read in parts."""

    def __init__(self, model: str, threads: int | None = None, mode: "Mode" = "full") -> None:
        from wordsight.reader import Reader
        from wordsight.runtime import find_model, load_pack

        folder = find_model(model)
        threads = threads or processors()
        self.name = load_pack(folder).name
        self._reader = Reader(folder, threads=threads, batch_size=_TOGETHER, mode=mode)
        self.settings: Settings = {"threads": threads, "provider": self._reader.provider, "mode": mode}

    def read(self, crops: Sequence["Crop"]) -> list[tuple[str, float]]:
        """Text and confidence of each crop, all in one batch."""
        return [(word.text, word.confidence) for word in self._reader.read_crops(crops)]

    def find(self, image: "Crop") -> list[tuple["Corners", str]]:
        """The words of a photograph."""
        import numpy as np

        return [(np.asarray(word.polygon, dtype=np.float64), word.text) for word in self._reader.read(image).words]


class RapidOcr:
    """RapidOCR with its own models and defaults."""

    name = "rapidocr"

    def __init__(self, threads: int | None = None, batch_size: int = 6) -> None:
        from importlib.metadata import version

        from rapidocr import RapidOCR

        threads = threads or processors()
        params = {
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "Global.log_level": "error",
            "Rec.rec_batch_num": batch_size,
        }
        self._engine: Any = RapidOCR(params=params)
        self.settings: Settings = {"threads": threads, "rapidocr": version("rapidocr"), "batch": 1}

    def read(self, crops: Sequence["Crop"]) -> list[tuple[str, float]]:
        """Text and confidence of each crop, one at a time as its public interface does."""
        out = []
        for crop in crops:
            # Its options stick from call to call: state all three in every one.
            found = self._engine(_bgr(crop), use_det=False, use_cls=False, use_rec=True, return_word_box=False)
            out.append((found.txts[0], float(found.scores[0])) if found.txts else ("", 0.0))
        return out

    def read_batch(self, crops: Sequence["Crop"]) -> list[tuple[str, float]]:
        """Text and confidence of each crop from its recognizer alone, in batches of `batch_size` sorted by width."""
        from rapidocr.ch_ppocr_rec import TextRecInput

        found = self._engine._load_rec_model()(TextRecInput(img=[_bgr(crop) for crop in crops]))
        return [(text, float(score)) for text, score in zip(found.txts, found.scores, strict=True)]

    def find(self, image: "Crop") -> list[tuple["Corners", str]]:
        """The words of a photograph, by its word boxes."""
        import numpy as np

        found = self._engine(_bgr(image), use_det=True, use_cls=True, use_rec=True, return_word_box=True)
        if found.boxes is None:
            return []
        words = (word for line in found.word_results for word in line)
        return [(np.asarray(box, dtype=np.float64), text) for text, _, box in words if box is not None]


class Tesseract:
    """The program `tesseract`, told that each image is one word (--psm 8)."""

    name = "tesseract"

    def __init__(self, threads: int | None = None) -> None:
        from wordsight.errors import ModelError

        program = shutil.which("tesseract")
        if program is None:
            raise ModelError("tesseract is not installed: install it (Debian: tesseract-ocr), or choose another model")
        self._program = program
        threads = threads or processors()
        self._environment = {**os.environ, "OMP_THREAD_LIMIT": str(threads)}
        listed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
        version = listed.stdout.split("\n")[0].removeprefix("tesseract ")
        self.settings: Settings = {"threads": threads, "tesseract": version, "batch": 1}

    def read(self, crops: Sequence["Crop"]) -> list[tuple[str, float]]:
        """Text and the least confidence of its parts, one program run for each crop."""
        return [self._read(crop) for crop in crops]

    def _read(self, crop: "Crop") -> tuple[str, float]:
        import io

        from PIL import Image

        from wordsight.errors import ModelError

        png = io.BytesIO()
        Image.fromarray(crop).save(png, "PNG")
        done = subprocess.run(  # noqa: S603
            [self._program, "-", "-", "--psm", "8", "tsv"],
            input=png.getvalue(),
            capture_output=True,
            env=self._environment,
            check=False,
        )
        if done.returncode:
            reason = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise ModelError(f"tesseract failed ({reason[:200]}): check its language data")
        return parse_tsv(done.stdout.decode("utf-8", "replace"))


def parse_tsv(output: str) -> tuple[str, float]:
    """Text and least confidence in Tesseract's TSV: words are rows of level 5; confidence (0..100) and text last."""
    rows = [line.split("\t") for line in output.split("\n")[1:]]
    words = [(row[11], float(row[10]) / 100) for row in rows if len(row) >= 12 and row[0] == "5" and row[11].strip()]
    return " ".join(text for text, _ in words), min((sure for _, sure in words), default=0.0)


def _bgr(image: "Crop") -> "Crop":
    import numpy as np

    return np.ascontiguousarray(image[:, :, ::-1])
