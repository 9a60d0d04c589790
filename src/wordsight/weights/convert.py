"""Converts other people's checkpoints to ours. The names of its tensors tell what a file holds, never its own name."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from wordsight.detect.packs import PPOCR, find_detector
from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.charset import with_charset, with_head_of
from wordsight.models.clip4str import Clip4Str
from wordsight.models.model import Model
from wordsight.models.peft import add_peft
from wordsight.models.ppocr import Db, Svtr
from wordsight.models.recognizer import Recognizer
from wordsight.runtime import Pack, find_model, load_pack, shipped_models
from wordsight.runtime.pack import MANIFEST
from wordsight.weights.choices import Choices, Options
from wordsight.weights.clip import HUGGING_FACE, IGNORED, OPEN_CLIP, OPENAI, openai_names, read_clip
from wordsight.weights.foreign import Foreign, open_foreign
from wordsight.weights.packs import model_from_pack
from wordsight.weights.paddle import IGNORED as PADDLE_IGNORED
from wordsight.weights.paddle import SIGN, read_paddle
from wordsight.weights.ppocr import db_from_onnx, rapidocr_file, svtr_from_onnx
from wordsight.weights.recognizers import read_clip4str, read_parseq, read_timm
from wordsight.weights.tensors import Facts, Read, Tensors, foreign_name, on_meta, some


@dataclass(frozen=True)
class Converted:
    """A foreign checkpoint as one of our models.

    Attributes:
        source: a description of the foreign checkpoint.
        model: a `Clip4Str`, `Parseq`, `Clip`, `Svtr` or `Db`, in eval mode, its weights in the precision they were
            stored in.
        found: what was inferred from shapes, stated by the checkpoint or given, in words.
        assumed: what was assumed, why, and which option says otherwise.
        unused: names of tensors that our model does not have.
        new: parts of the model that the checkpoint did not have, so that they must be trained.
        about: what is kept in the checkpoint folder.
    """

    source: str
    model: Model
    found: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: str | Path) -> Path:
        """Write a checkpoint folder. Weights stay in half precision where they came so."""
        halves = [t.dtype for t in self.model.state_dict().values() if t.ndim > 1]
        dtype = halves[0] if set(halves) in ({torch.float16}, {torch.bfloat16}) else torch.float32
        return checkpoint.save(self.model, folder, dtype=dtype, **self.about)


@dataclass(frozen=True)
class _Layout:
    """A way of naming tensors: its source, names that it has, how to read it, and names that may be left over."""

    source: str
    signs: tuple[str, ...]
    read: Callable[[Tensors, Facts, Choices], Read]
    ignored: tuple[str, ...] = ()


def convert(path: str | Path, options: Options | None = None, *, allow_unused: bool = False) -> Converted:
    """Read a foreign checkpoint: CLIP's towers, CLIP4STR, PARSeq, PP-OCRv6 or a vision transformer.

    Args:
        path: a file or folder, see `open_foreign`; "rapidocr" or "rapidocr-det", for the recognizer or the detector in
            that wheel; or a pack of ours, by its name or folder.
        options: what its shapes do not determine; docs/weights.md has the defaults for each source.
        allow_unused: whether unknown tensors are left out; otherwise they are an error.

    Raises:
        ModelError: it is no checkpoint, of an unknown layout, or tensors are missing, misshapen or left over.
        ConfigError: an option does not fit.
    """
    choices = Choices(options or Options())
    if str(path) == RAPIDOCR:
        converted = _rapidocr(choices)
    elif str(path) == RAPIDOCR_DETECTOR:
        converted = _rapidocr_detector()
    elif str(path) in shipped_models() or (Path(path) / MANIFEST).is_file():
        converted = _pack(load_pack(find_model(path)), choices)
    else:
        return convert_foreign(open_foreign(path), options, allow_unused=allow_unused)
    choices.check(str(path), converted.source)
    return converted


RAPIDOCR, RAPIDOCR_DETECTOR = "rapidocr", "rapidocr-det"
"""Names of the recognizer and the detector in the wheel `rapidocr`."""


def _pack(pack: Pack, choices: Choices) -> Converted:
    """A pack of ours, to be trained on."""
    model = model_from_pack(pack)
    if isinstance(model, Svtr | Clip4Str) and (charset := choices.given("charset")) is not None:
        model = with_head_of(model, charset)[0] if isinstance(model, Svtr) else with_charset(model, charset)
    about = {key: value for key, value in pack.about.items() if key in ("data", "training", "licence", "cross")}
    return Converted(f"the pack {pack.name!r}", model, (f"{len(model.cfg.charset)} characters",), about=about)


def _rapidocr(choices: Choices) -> Converted:
    """PP-OCRv6 small's recognizer."""
    path = rapidocr_file("rec")
    model, charset, new = svtr_from_onnx(path), choices.given("charset"), ""
    if charset is not None:
        model, new = with_head_of(model, charset)
    found = (f"{len(model.cfg.charset)} characters",)
    assumed = (f"{len(new)} characters are read as what they look like until they are trained: {new}",) if new else ()
    about = _about(path) | {"guessed": new}
    return Converted(f"PP-OCRv6 small's recognizer ({path.name})", model, found, assumed, about=about)


def _rapidocr_detector() -> Converted:
    """PP-OCRv6 small's detector, for pictures as PaddleOCR shows them."""
    path = rapidocr_file("det")
    plain, shown = db_from_onnx(path), find_detector(PPOCR)
    model = Db(replace(plain.cfg, mean=shown.mean, std=shown.std))
    model.load_state_dict(plain.state_dict())
    return Converted(f"PP-OCRv6 small's detector ({path.name})", model.eval(), about=_about(path))


def _about(path: Path) -> dict[str, Any]:
    return {"converted": {"from": path.name}, "licence": "Apache-2.0 (PaddlePaddle authors)"}


def convert_foreign(foreign: Foreign, options: Options | None = None, *, allow_unused: bool = False) -> Converted:
    """`convert`, of what `open_foreign` read."""
    layout = _layout(foreign)
    tensors = Tensors(foreign.tensors, layout.source)
    choices = Choices(options or Options())
    try:
        read = layout.read(tensors, foreign.facts, choices)
        tensors.check()
    except (ModelError, ConfigError) as error:
        raise type(error)(f"{foreign.path}: {error}") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"{foreign.path}: its metadata is malformed ({error}): download it again") from None
    choices.check(str(foreign.path), layout.source)
    unused = tensors.unused()
    unknown = [n for n in unused if not re.fullmatch("|".join((*IGNORED, *layout.ignored)), n)]
    if unknown and not allow_unused:
        raise ModelError(
            f"{foreign.path}: {layout.source}, but {len(unknown)} of its tensors have no place in it "
            f"({some(unknown)}): leave them out with --allow-unused if the model works without"
        )
    model, new = _build(read)
    return Converted(
        f"{layout.source} ({foreign.packed}, {len(foreign.tensors)} tensors)",
        model,
        tuple(choices.found),
        tuple(choices.assumed),
        tuple(unused),
        new,
        read.about | {"converted": {"from": layout.source, "assumed": choices.assumed, "new": list(new)}},
    )


def _build(read: Read) -> tuple[Model, tuple[str, ...]]:
    """The model with these weights, and which parts of it are new. New weights are the same every time."""
    state = dict(read.state)
    model = on_meta(read.model, read.config)
    if read.peft and isinstance(model, Recognizer):
        with torch.device("meta"):
            add_peft(model, read.peft)
    absent = model.state_dict().keys() - state.keys()
    if absent:
        shallow = replace(read.config, image=replace(read.config.image, layers=0))  # blocks are never absent
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            new = read.model(shallow).state_dict()
        state |= {name: new[name] for name in absent}
    model.load_state_dict(state, assign=True)
    return model.eval(), tuple(sorted({name.split(".")[0 if "decoder" in name else 1] for name in absent}))


_CLIP = "visual.conv1.weight"
_LAYOUTS = (  # the first one whose signs are there; OpenAI's own files hold the sizes as tensors, open_clip's do not
    _Layout("CLIP4STR", ("clip_model.visual.conv1.weight",), read_clip4str, (r"clip_model\.logit_scale",)),
    # open_clip's CustomTextCLIP has its text tower in a module of its own
    _Layout(
        "CLIP by open_clip",
        (_CLIP, "text.token_embedding.weight"),
        partial(read_clip, openai_names(text="text."), OPEN_CLIP),
    ),
    _Layout("CLIP by OpenAI", (_CLIP, "input_resolution"), partial(read_clip, openai_names(), OPENAI)),
    _Layout("CLIP by open_clip", (_CLIP,), partial(read_clip, openai_names(), OPEN_CLIP)),
    _Layout(
        "CLIP by Hugging Face",
        (foreign_name("image_tower.stem.weight", HUGGING_FACE),),
        partial(read_clip, HUGGING_FACE, OPENAI),
    ),
    _Layout("PARSeq", ("encoder.patch_embed.proj.weight",), partial(read_parseq, "")),
    _Layout("PARSeq", ("model.encoder.patch_embed.proj.weight",), partial(read_parseq, "model.")),
    _Layout("PP-OCRv6", (SIGN,), read_paddle, PADDLE_IGNORED),
    _Layout("a vision transformer by timm", ("patch_embed.proj.weight",), read_timm, (r"(head|pre_logits)\..+",)),
)

_REFUSED = (
    ("visual.layer1.0.conv1.weight", "a CLIP with a ResNet: only vision transformers are known"),
    ("visual.trunk.", "an open_clip model with an image tower of timm's: only open_clip's own towers are known"),
    ("text.transformer.embeddings.", "an open_clip model with a text tower of Hugging Face: only CLIP's is known"),
    ("image_tower.", "a checkpoint of wordsight already: nothing is to be converted"),
    ("model.image_tower.", "a training checkpoint of wordsight already: nothing is to be converted"),
)


def _layout(foreign: Foreign) -> _Layout:
    names = foreign.tensors
    for start, what in _REFUSED:
        if any(name.startswith(start) for name in names):
            raise ModelError(f"{foreign.path} is {what}")
    layout = next((entry for entry in _LAYOUTS if all(sign in names for sign in entry.signs)), None)
    if layout is None:
        raise ModelError(
            f"{foreign.path} is {foreign.packed} of an unknown model (its tensors: {some(sorted(names))}): known are "
            f"{', '.join(sorted({entry.source for entry in _LAYOUTS}))}"
        )
    return layout
