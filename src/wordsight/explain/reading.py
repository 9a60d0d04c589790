"""How a recognizer comes to a word: its reading after each stage, and where it looks for each character."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wordsight.decoding import PSM, Engine, Floats, Ids, Mode, PsmGraphs, Reading, Settings, Spec, read_psm
from wordsight.errors import ModelError
from wordsight.imaging import Preprocessing, prepare
from wordsight.runtime import find_model, load_pack
from wordsight.text import Captions, CharTokenizer, HubCaptions


class Watched(Engine, Protocol):
    """An engine that remembers; see `WatchedTorch`."""

    looks: dict[str, Floats]


@dataclass(frozen=True)
class Stage:
    """A reading on the way: after the visual branch, its refinement, the cross-modal branch, and that one's."""

    name: str
    reading: Reading


@dataclass(frozen=True)
class Explanation:
    """How one crop was read.

    Attributes:
        stages: in the order in which they come about; the last one is the result.
        visual: (T, rows, columns), where the visual decoder looked for each of its characters and the end, as shares
            of all its attention (a class token has the rest). Position i of the result is row i of every map.
        cross: the same of the cross-modal decoder, which the caption's tokens have a part of, too; None without one.
        text: (T, S), the cross-modal decoder's attention to the tokens of the caption.
        caption: those tokens.
    """

    stages: tuple[Stage, ...]
    visual: Floats
    cross: Floats | None
    text: Floats | None
    caption: tuple[str, ...]

    @property
    def result(self) -> Reading:
        """What the recognizer says in the end."""
        return self.stages[-1].reading


@dataclass(frozen=True, eq=False)
class Explainer:
    """A recognizer that says how it reads.

    Args:
        engine: runs its graphs, watched.
        spec: what decoding has to know of it; no captions where its cross-modal branch is missing or not trained.
        preprocessing: how crops are prepared for it.
        grid: rows and columns of its image tokens.
        memory: how many image tokens there are, a class token included.
        temperature: of its probabilities.
    """

    engine: Watched
    spec: Spec
    preprocessing: Preprocessing
    grid: tuple[int, int]
    memory: int
    temperature: float = 1.0

    def __call__(self, crop: npt.NDArray[np.uint8]) -> Explanation:
        """Reads a crop, uint8 RGB (h, w, 3), once up to each stage."""
        image = prepare([crop], self.preprocessing)
        refined = Stage("visual branch, refined", self._read(image, "visual", 1))
        stages = [Stage("visual branch", self._read(image, "visual", 0)), refined]
        cross = text = None
        caption: tuple[str, ...] = ()
        if self.spec.captions is not None:
            stages.insert(1, Stage("cross-modal branch", self._read(image, "full", 0)))
            stages.append(Stage("cross-modal branch, refined", self._read(image, "full", 1)))
            cross, text = self._split(self.engine.looks["cross"][0])
            tokens, lengths = self.spec.captions.encode([refined.reading.text])
            caption = caption_names(tokens[0, : lengths[0]], self.spec.tokenizer, self.spec.captions)
        visual, _ = self._split(self.engine.looks["visual"][0])
        return Explanation(tuple(stages), visual, cross, text, caption)

    def _read(self, image: Floats, mode: Mode, refine_iters: int) -> Reading:
        settings = Settings(mode, refine_iters, self.temperature)
        return read_psm(PsmGraphs(self.engine), image, self.spec, settings)[0]

    def _split(self, look: Floats) -> tuple[Floats, Floats]:
        """(T, L) over a whole memory to (T, rows, columns) over the image, its class token left out, and the rest."""
        first = self.memory - self.grid[0] * self.grid[1]
        return look[:, first : self.memory].reshape(-1, *self.grid), look[:, self.memory :]


def caption_names(ids: Ids, tokenizer: CharTokenizer, captions: Captions | None = None) -> tuple[str, ...]:
    """The tokens of a caption in writing: characters, or pieces of CLIP's byte-pair encoding if it begins as those.

    Or pieces of the tokenizer of `captions`, where that came from the hub.
    """
    if isinstance(captions, HubCaptions):
        return captions.names(ids)
    if ids[0] == tokenizer.bos:
        special = {tokenizer.bos: "[B]", tokenizer.eos: "[E]", tokenizer.pad: "[P]"}
        return tuple(special.get(int(i)) or tokenizer.decode([int(i)]) for i in ids)
    import json

    from wordsight.text.bpe import END, START, ClipTokenizer

    vocabulary: dict[str, int] = json.loads(ClipTokenizer().json())["model"]["vocab"]
    pieces = {i: piece.removesuffix("</w>") for piece, i in vocabulary.items()}
    end = int(np.argmax(ids == END)) if END in ids else len(ids)
    names = {START: "[B]", END: "[E]"}
    return tuple("·" if j > end else names.get(int(i)) or pieces.get(int(i), str(i)) for j, i in enumerate(ids))


def open_explainer(model: str | Path) -> Explainer:
    """An explainer of a shipped model, a pack's folder (needs the package onnx) or a checkpoint folder (needs torch).

    Raises:
        ModelError: it is none of these, or cannot be used.
    """
    if (Path(model) / "model.safetensors").is_file():
        return _from_checkpoint(Path(model))
    from wordsight.explain.pack import WatchedPack

    pack = load_pack(find_model(model))
    if pack.kind is not PSM:
        raise ModelError(f"{pack.folder} holds a {pack.architecture}: explain a clip4str or parseq recognizer")
    spec = pack.spec if pack.cross else replace(pack.spec, captions=None)
    memory = int(pack.graphs["image"].outputs["kv_visual"][3])
    grid = _grid(memory, pack.preprocessing)
    return Explainer(WatchedPack(pack), spec, pack.preprocessing, grid, memory, pack.temperature)


def _from_checkpoint(folder: Path) -> Explainer:
    from wordsight.explain.attention import WatchedTorch
    from wordsight.models import checkpoint
    from wordsight.models.clip4str import Clip4Str
    from wordsight.models.parseq import Parseq

    model, about = checkpoint.load(folder)
    if not isinstance(model, Parseq):
        raise ModelError(f"{folder} holds a {model.architecture}: explain a clip4str or parseq recognizer")
    cfg, cross = model.cfg, isinstance(model, Clip4Str) and bool(about.get("cross", True))
    if isinstance(model, Clip4Str) and model.cfg.pooled:
        raise ModelError(f"{folder} reduces an image to one vector: it has no attention to show")
    spec = cfg.spec if cross else replace(cfg.spec, captions=None)
    return Explainer(WatchedTorch(model, cross), spec, cfg.preprocessing, cfg.image.grid, cfg.image.tokens)


def _grid(memory: int, spec: Preprocessing) -> tuple[int, int]:
    """Rows and columns of a pack's image tokens, which it does not state.

    Either their cells have the shape of the input's rows and columns (square patches; a class token may come first),
    or they are one row (the compact models).
    """
    height, width = spec.size
    for tokens in (memory, memory - 1):
        for rows in range(2, tokens):
            if tokens % rows == 0 and height * (tokens // rows) == width * rows:
                return rows, tokens // rows
    return 1, memory
