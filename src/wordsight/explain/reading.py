"""How a recognizer comes to a word: its reading after each stage, and where it looks for each character."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wordsight.decoding import PsmGraphs, Reading, read_psm
from wordsight.decoding.psm import Floats, Ids
from wordsight.errors import ModelError
from wordsight.imaging import Preprocessing, prepare
from wordsight.runtime import DEFAULT, find_model, load_pack
from wordsight.text import CharTokenizer


class Watched(PsmGraphs, Protocol):
    """`PsmGraphs` that remember; see `WatchedTorch`."""

    looks: dict[str, Floats]
    caption: Ids | None


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


class Explainer:
    """A recognizer that says how it reads.

    Args:
        graphs: its parts, watched.
        tokenizer: of its decoders.
        preprocessing: how crops are prepared for it.
        grid: rows and columns of its image tokens.
        max_length: characters that it writes at most.
        cross: whether its cross-modal branch is trained.
        temperature: of its probabilities.
    """

    def __init__(
        self,
        graphs: Watched,
        tokenizer: CharTokenizer,
        preprocessing: Preprocessing,
        grid: tuple[int, int],
        max_length: int,
        cross: bool,
        temperature: float = 1.0,
    ) -> None:
        self.graphs = graphs
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.grid = grid
        self.max_length = max_length
        self.cross = cross
        self.temperature = temperature

    def __call__(self, crop: npt.NDArray[np.uint8]) -> Explanation:
        """Reads a crop, uint8 RGB (h, w, 3), once up to each stage."""
        image = prepare([crop], self.preprocessing)
        visual_only = _VisualOnly(self.graphs)
        stages = [
            Stage("visual branch", self._read(visual_only, image, 0)),
            Stage("visual branch, refined", self._read(visual_only, image, 1)),
        ]
        if self.cross:
            stages.insert(1, Stage("cross-modal branch", self._read(self.graphs, image, 0)))
            stages.append(Stage("cross-modal branch, refined", self._read(self.graphs, image, 1)))
        tokens = self.grid[0] * self.grid[1]
        visual = self.graphs.looks["visual"][0]
        first = visual.shape[1] - tokens  # after the class token, where there is one
        cross = text = None
        caption: tuple[str, ...] = ()
        if self.cross and self.graphs.caption is not None:
            look = self.graphs.looks["cross"][0]
            cross = look[:, first : first + tokens].reshape(-1, *self.grid)
            text = look[:, first + tokens :]
            caption = caption_names(self.graphs.caption[0][: text.shape[1]], self.tokenizer)
        return Explanation(tuple(stages), visual[:, first:].reshape(-1, *self.grid), cross, text, caption)

    def _read(self, graphs: PsmGraphs, image: Floats, refine_iters: int) -> Reading:
        readings, _ = read_psm(
            graphs, image, self.tokenizer, self.max_length, refine_iters=refine_iters, temperature=self.temperature
        )
        return readings[0]


def caption_names(ids: Ids, tokenizer: CharTokenizer) -> tuple[str, ...]:
    """The tokens of a caption in writing: characters, or pieces of CLIP's byte-pair encoding if it begins as those."""
    if ids[0] == tokenizer.bos:
        special = {tokenizer.bos: "[B]", tokenizer.eos: "[E]", tokenizer.pad: "[P]"}
        return tuple(special.get(int(i)) or tokenizer.decode([int(i)]) for i in ids)
    import json

    from wordsight.text.bpe import END, START, ClipTokenizer

    pieces = {
        i: piece.removesuffix("</w>") for piece, i in json.loads(ClipTokenizer().json())["model"]["vocab"].items()
    }
    end = int(np.argmax(ids == END)) if END in ids else len(ids)
    names = {START: "[B]", END: "[E]"}
    return tuple("·" if j > end else names.get(int(i)) or pieces.get(int(i), str(i)) for j, i in enumerate(ids))


class _VisualOnly:
    """The same graphs without their cross-modal branch."""

    def __init__(self, graphs: PsmGraphs) -> None:
        self.graphs = graphs
        self.text: Callable[..., Floats] = graphs.text
        self.visual: Callable[..., Floats] = graphs.visual
        self.cross: Callable[..., Floats] = graphs.cross

    def image(self, images: Floats) -> tuple[Floats, Floats | None]:
        return self.graphs.image(images)[0], None


def open_explainer(model: str | Path = DEFAULT) -> Explainer:
    """An explainer of a shipped model, a pack's folder (needs the package onnx) or a checkpoint folder (needs torch).

    Raises:
        ModelError: it is none of these, or cannot be used.
    """
    if (Path(model) / "model.safetensors").is_file():
        return _from_checkpoint(Path(model))
    from wordsight.explain.pack import WatchedPack

    pack = load_pack(find_model(model))
    memory = int(pack.graphs["image"].outputs["kv_visual"][3])
    return Explainer(
        WatchedPack(pack),
        pack.tokenizer,
        pack.preprocessing,
        _grid(memory, pack.preprocessing),
        pack.max_length,
        pack.cross,
        pack.temperature,
    )


def _from_checkpoint(folder: Path) -> Explainer:
    from wordsight.explain.attention import WatchedTorch
    from wordsight.models import checkpoint
    from wordsight.models.clip4str import Clip4Str

    model, about = checkpoint.load(folder)
    if not isinstance(model, Clip4Str):
        raise ModelError(f"{folder} holds a {model.architecture}: explain a clip4str recognizer")
    cfg = model.cfg
    if cfg.pooled:
        raise ModelError(f"{folder} keeps one vector of an image: there is no attention over it to show")
    cross = bool(about.get("cross", True))
    graphs = WatchedTorch(model, cross)
    return Explainer(graphs, model.tokenizer, cfg.preprocessing, cfg.image.grid, cfg.max_length, cross)


def _grid(memory: int, spec: Preprocessing) -> tuple[int, int]:
    """Rows and columns of a pack's image tokens, which it does not state.

    Either their cells have the shape of the input's rows and columns (square patches; a class token may come first),
    or they are one row (the compact models).
    """
    for tokens in (memory, memory - 1):
        for rows in range(2, tokens):
            if tokens % rows == 0 and spec.height * (tokens // rows) == spec.width * rows:
                return rows, tokens // rows
    return 1, memory
