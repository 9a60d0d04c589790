"""One small interface for our packs and for other people's recognizers, so that they are compared on equal terms."""

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wordsight.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from wordsight.data import Sample, SceneView
    from wordsight.decoding import Mode
    from wordsight.imaging.geometry import Box
    from wordsight.reading.parts import SceneConditioned
    from wordsight.reading.scenes import EncodedScene
    from wordsight.runtime import Pack

    Crop = npt.NDArray[np.uint8]
    Corners = npt.NDArray[np.float64]

Settings = dict[str, str | int]
"""What the scores of a recognizer depend on besides the crops."""

_log = logging.getLogger(__name__)

_TOGETHER = 512  # crops in a batch at most: callers that read many choose their own batch size


def find_ours(model: str) -> "Pack | Path":
    """The pack of that name or in that folder; of a checkpoint, the folder.

    Raises:
        ModelError: it is neither, it is damaged, or it is published by others and has to be downloaded first.
    """
    from wordsight.runtime import find_model, load_pack
    from wordsight.weights.catalogue import refuse_published

    refuse_published(model)
    folder = Path(model)
    return folder if (folder / "model.safetensors").is_file() else load_pack(find_model(model))


def open_reader(model: str, threads: int | None = None, mode: "Mode" = "adaptive", **options: Any) -> "AnyReader":
    """The recognizer called `rapidocr` or `tesseract`, else the pack or the checkpoint `model`, an `OurReader`.

    `options` are the other arguments of `OurReader`.

    Raises:
        ModelError: it is not there.
    """
    if model in _THEIRS:
        return _THEIRS[model](threads)
    return OurReader(model, threads, mode, **options)


class OurReader:
    """A `Reader` with a pack or a checkpoint: what users get, so tall crops are turned and wide ones read in parts.

    Args:
        model: A shipped model, or the folder of a pack or of a checkpoint (which needs PyTorch).
        threads: CPU threads of the engine.
        mode: How it decodes.
        dictionary: Whether a pack uses the English dictionary, see `Reader`. Checkpoints never do.
        encoder: Where the scene encoder of a checkpoint is, if not where its configuration says.
        untrained: Encode scenes by an encoder of the same architecture with random weights, drawn with this seed.
        rerank: Checkpoint folder of a CLIP that chooses among sampled readings of a checkpoint.
        as_is: Each crop goes through the recognizer once, as the field's tables have it: greedy decoding and the
            paper's refinement, no dictionary, nothing turned, cut or looked at again.

    Raises:
        ModelError: it is not there.
        ConfigError: a pack is asked for another encoder than its own.
    """

    def __init__(
        self,
        model: str,
        threads: int | None = None,
        mode: "Mode" = "adaptive",
        *,
        dictionary: bool = True,
        encoder: str | None = None,
        untrained: int | None = None,
        rerank: Path | None = None,
        as_is: bool = False,
    ) -> None:
        from wordsight.reader import Reader
        from wordsight.runtime import OnnxRecognizer
        from wordsight.runtime.sessions import processors

        found = find_ours(model)
        if as_is and mode == "parallel":
            raise ConfigError("--as-is is greedy decoding: leave out --mode parallel, or add --no-as-is")
        if as_is and mode != "visual":
            mode = "full"
        self._recognizer: SceneConditioned | None = None
        """Reads crops as they are; None: `reader` reads them."""
        threads = threads or processors()
        self.calibration: Mapping[str, Any] = {}
        """The result of `wordsight models calibrate`, stored in the pack; empty if it was never run."""
        if isinstance(found, Path):
            from wordsight.weights.encoders import open_checkpoint

            recognizer = open_checkpoint(found, mode, threads, encoder, untrained, rerank)
            self._recognizer = recognizer if as_is else None
            self.name = found.resolve().name
            self.reader = Reader.of(recognizer, batch_size=_TOGETHER)
        elif rerank is not None:
            raise ConfigError("readings are sampled from a checkpoint: --rerank does not work with packs")
        elif encoder is not None or untrained is not None:
            raise ConfigError("a pack carries its own scene encoder: try another one with a checkpoint")
        else:
            self.name, self.calibration = found.name, found.about.get("calibration") or {}
            if as_is:
                self._recognizer = OnnxRecognizer(found, "auto", threads, mode=mode)
            words = "english" if dictionary and not as_is else None
            self.reader = Reader(found.folder, threads=threads, batch_size=_TOGETHER, mode=mode, dictionary=words)
        self.settings: Settings = {"threads": threads, "provider": self.reader.provider, "mode": mode}
        self._last: tuple[str, EncodedScene] | None = None

    def read(self, crops: Sequence["Crop"]) -> list[tuple[str, float]]:
        """Text and confidence of each crop, all in one batch."""
        return self.read_scenes(crops, [None] * len(crops))

    def read_scenes(self, crops: Sequence["Crop"], scenes: Sequence["EncodedScene | None"]) -> list[tuple[str, float]]:
        """The same, each crop with a scene that is already encoded, or none."""
        from wordsight.imaging import batches
        from wordsight.reading.scenes import of_crops

        if self._recognizer is None:
            given = scenes if any(scene is not None for scene in scenes) else None
            return [(word.text, word.confidence) for word in self.reader.read_crops(crops, given)]
        out = [("", 0.0)] * len(crops)
        for numbers, images in batches(crops, self._recognizer.preprocessing, _TOGETHER):
            known = of_crops([scenes[i] for i in numbers])
            readings = self._recognizer.read(images) if known is None else self._recognizer.read(images, known)
            for i, reading in zip(numbers, readings, strict=True):
                out[i] = reading.text, reading.confidence
        return out

    def read_samples(self, samples: Sequence["Sample"]) -> list[tuple[str, float, bool | None]]:
        """The same, each crop with its scene, and whether there was one: a scene that cannot be read is none."""
        links = [sample.link for sample in samples]
        scenes = [self._scene(link.view, link.box) if link and link.view else None for link in links]
        read = self.read_scenes([sample.image for sample in samples], scenes)
        return [(*one, scene is not None) for one, scene in zip(read, scenes, strict=True)]

    def _scene(self, view: "SceneView", box: "Box") -> "EncodedScene | None":
        """A scene with the place of a crop in it. It is encoded once for words that are read one after the other."""
        from dataclasses import replace

        try:
            if self._last is None or view.key != self._last[0]:
                self._last = view.key, self.reader.scene(view.load())
        except DataError as error:
            _log.warning("no scene: %s", error)
            return None
        return replace(self._last[1], box=box)

    def find(self, image: "Crop", shown: "Crop | None" = None) -> list[tuple["Corners", str]]:
        """The words of a photograph; if the model takes scenes, `shown` is that of all words."""
        import numpy as np

        context = shown is not None and self.reader.takes_scenes
        photo = self.reader.read(image, context=self.reader.scene(shown) if context and shown is not None else False)
        return [(np.asarray(word.polygon, dtype=np.float64), word.text) for word in photo.words]


class RapidOcr:
    """RapidOCR with its own models and defaults."""

    name = "rapidocr"

    def __init__(self, threads: int | None = None, batch_size: int = 6) -> None:
        from importlib.metadata import version

        from rapidocr import RapidOCR

        from wordsight.runtime.sessions import processors

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
    """The program `tesseract`, in the mode for images of one word (--psm 8)."""

    name = "tesseract"

    def __init__(self, threads: int | None = None) -> None:
        from wordsight.runtime.sessions import processors

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

    def find(self, image: "Crop") -> list[tuple["Corners", str]]:
        """Not here: it finds lines of documents.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("tesseract is compared on crops only: leave out --end-to-end, or choose rapidocr")

    def _read(self, crop: "Crop") -> tuple[str, float]:
        import io

        from PIL import Image

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


AnyReader: TypeAlias = OurReader | RapidOcr | Tesseract
"""Reads word crops, and finds and reads the words of photographs."""
_THEIRS: dict[str, type[RapidOcr] | type[Tesseract]] = {"rapidocr": RapidOcr, "tesseract": Tesseract}


def parse_tsv(output: str) -> tuple[str, float]:
    """Text and least confidence in Tesseract's TSV: words are rows of level 5; confidence (0..100) and text last."""
    rows = [line.split("\t") for line in output.split("\n")[1:]]
    words = [(row[11], float(row[10]) / 100) for row in rows if len(row) >= 12 and row[0] == "5" and row[11].strip()]
    return " ".join(text for text, _ in words), min((sure for _, sure in words), default=0.0)


def _bgr(image: "Crop") -> "Crop":
    import numpy as np

    return np.ascontiguousarray(image[:, :, ::-1])
