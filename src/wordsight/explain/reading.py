"""How a recognizer comes to a word: its reading after each stage, and where it looks for each character."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordsight.decoding import PSM, Floats, Ids, Mode, PsmGraphs, Reading, Settings, read_psm
from wordsight.errors import ModelError
from wordsight.explain.attention import WatchedTorch
from wordsight.imaging import prepare
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.parseq import Parseq
from wordsight.runtime import find_model, load_pack
from wordsight.text import Captions, CharTokenizer, HubCaptions
from wordsight.text.bpe import END, START, ClipTokenizer
from wordsight.weights.packs import model_from_pack


@dataclass(frozen=True)
class Explanation:
    """How one crop was read.

    Attributes:
        stages: their names and readings, in the order in which they come about; the last one is the result.
        visual: (T, rows, columns), where the visual decoder looked for each of its characters and the end, as shares
            of all its attention (a class token has the rest). Position i of the result is row i of every map.
        cross: the same of the cross-modal decoder, which the caption's tokens have a part of, too; None without one.
        text: (T, S), the cross-modal decoder's attention to the tokens of the caption.
        caption: those tokens.
    """

    stages: tuple[tuple[str, Reading], ...]
    visual: Floats
    cross: Floats | None
    text: Floats | None
    caption: tuple[str, ...]

    @property
    def result(self) -> Reading:
        """What the recognizer says in the end."""
        return self.stages[-1][1]


class Explainer:
    """A recognizer that says how it reads.

    Args:
        model: in eval mode.
        cross: whether its cross-modal branch, if it has one, is there and trained.
        temperature: of its probabilities.
    """

    def __init__(self, model: Parseq, *, cross: bool = True, temperature: float = 1.0) -> None:
        cross = cross and isinstance(model, Clip4Str)
        self.engine = WatchedTorch(model, cross)
        self.spec = model.cfg.spec if cross else replace(model.cfg.spec, captions=None)
        self.preprocessing, self.image, self.temperature = model.cfg.preprocessing, model.cfg.image, temperature

    def __call__(self, crop: npt.NDArray[np.uint8]) -> Explanation:
        """Reads a crop, uint8 RGB (h, w, 3), once up to each stage."""
        image = prepare([crop], self.preprocessing)
        refined = self._read(image, "visual", 1)
        stages = [("visual branch", self._read(image, "visual", 0)), ("visual branch, refined", refined)]
        cross = text = None
        caption: tuple[str, ...] = ()
        if self.spec.captions is not None:
            stages.insert(1, ("cross-modal branch", self._read(image, "full", 0)))
            stages.append(("cross-modal branch, refined", self._read(image, "full", 1)))
            cross, text = self._split(self.engine.looks["cross"][0])
            tokens, lengths = self.spec.captions.encode([refined.text])
            caption = caption_names(tokens[0, : lengths[0]], self.spec.tokenizer, self.spec.captions)
        visual, _ = self._split(self.engine.looks["visual"][0])
        return Explanation(tuple(stages), visual, cross, text, caption)

    def _read(self, image: Floats, mode: Mode, refine_iters: int) -> Reading:
        settings = Settings(mode, refine_iters, self.temperature)
        return read_psm(PsmGraphs(self.engine), image, self.spec, settings)[0]

    def _split(self, look: Floats) -> tuple[Floats, Floats]:
        """(T, L) over a whole memory to (T, rows, columns) over the image, its class token left out, and the rest."""
        rows, columns = self.image.grid
        first, last = self.image.tokens - rows * columns, self.image.tokens
        return look[:, first:last].reshape(-1, rows, columns), look[:, last:]


def caption_names(ids: Ids, tokenizer: CharTokenizer, captions: Captions | None = None) -> tuple[str, ...]:
    """The tokens of a caption in writing: characters, or pieces of CLIP's byte-pair encoding if it begins as those.

    Or pieces of the tokenizer of `captions`, where that came from the hub.
    """
    if isinstance(captions, HubCaptions):
        return captions.names(ids)
    if ids[0] == tokenizer.bos:
        special = {tokenizer.bos: "[B]", tokenizer.eos: "[E]", tokenizer.pad: "[P]"}
        return tuple(special.get(int(i)) or tokenizer.decode([int(i)]) for i in ids)
    vocabulary: dict[str, int] = json.loads(ClipTokenizer().json())["model"]["vocab"]
    pieces = {i: piece.removesuffix("</w>") for piece, i in vocabulary.items()}
    end = int(np.argmax(ids == END)) if END in ids else len(ids)
    names = {START: "[B]", END: "[E]"}
    return tuple("·" if j > end else names.get(int(i)) or pieces.get(int(i), str(i)) for j, i in enumerate(ids))


def open_explainer(model: str | Path) -> Explainer:
    """An explainer of a shipped model, a pack's folder or a checkpoint folder.

    Raises:
        ModelError: it is none of these, or cannot be used.
    """
    temperature = 1.0
    if (Path(model) / "model.safetensors").is_file():
        recognizer, about = checkpoint.load_recognizer(model)
    else:
        pack = load_pack(find_model(model))
        if pack.kind is not PSM:
            raise ModelError(f"{pack.folder} holds a {pack.architecture}: explain a clip4str or parseq recognizer")
        recognizer, about, temperature = model_from_pack(pack), dict(pack.about), pack.temperature
    if not isinstance(recognizer, Parseq):
        raise ModelError(f"{model} holds a {recognizer.architecture}: explain a clip4str or parseq recognizer")
    if isinstance(recognizer, Clip4Str) and recognizer.cfg.pooled:
        raise ModelError(f"{model} reduces an image to one vector: it has no attention to show")
    return Explainer(recognizer, cross=bool(about.get("cross", True)), temperature=temperature)
