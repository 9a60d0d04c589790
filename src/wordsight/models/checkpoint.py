"""Trained recognizers on disk: a folder with `model.safetensors` and `config.json`. Nothing in it is ever executed."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from wordsight.errors import ModelError, no_pack_yet
from wordsight.files import filling, read_regular
from wordsight.models.clip import Clip
from wordsight.models.config import MALFORMED
from wordsight.models.model import Model
from wordsight.models.peft.files import around, put_around
from wordsight.models.recognizer import Recognizer
from wordsight.models.registry import model_class

FORMAT = 1
_DEPTHS = ("layers", "depth", "blocks")  # numbers whose names say this are of modules, each with a tensor at least
TOKENIZER = "tokenizer.json"
"""Of a text tower from the hub; megabytes, so not in config.json."""


def save(model: Model, folder: str | Path, dtype: torch.dtype = torch.float32, **about: object) -> Path:
    """Write a recognizer to `folder`, whose earlier one stays until all is written.

    `about` (steps, data, scores ...) is kept in its config.json. `dtype` is how floating-point weights are stored; half
    precision halves the file.

    Raises:
        OSError: it cannot be written.
    """
    folder = Path(folder)
    state = {
        k: v.detach().to("cpu", dtype if v.is_floating_point() else v.dtype).contiguous()
        for k, v in model.state_dict().items()
    }
    values = model.cfg.to_dict()
    tokenizer = values["hub"].pop("tokenizer") if values.get("hub") else None
    config = {"format": FORMAT, "architecture": model.architecture, "config": values, "about": about}
    if isinstance(model, Recognizer):
        config |= around(model)
    with filling(folder, last="config.json") as new:
        try:
            save_file(state, new / "model.safetensors")
        except SafetensorError as error:  # its errors of writing are no OSErrors
            raise OSError(None, " ".join(str(error).split()), str(folder / "model.safetensors")) from None
        if tokenizer is not None:
            (new / TOKENIZER).write_text(tokenizer, encoding="utf-8")
        (new / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return folder


def load_recognizer(folder: str | Path) -> tuple[Recognizer, dict[str, Any]]:
    """The recognizer in `folder`, and what is said about it, as `load`.

    Raises:
        ModelError: as `load`; or the folder holds CLIP's towers or a detector.
    """
    model, about = load(folder)
    if isinstance(model, Clip):
        raise ModelError(f"{folder} holds CLIP's towers, which cannot read yet: train a recognizer from them first")
    if not isinstance(model, Recognizer):
        raise ModelError(f"{folder} holds a {model.architecture}, which reads nothing: give a recognizer")
    return model, about


def load(folder: str | Path) -> tuple[Model, dict[str, Any]]:
    """The model in `folder` in eval mode, with float32 weights, and what is said about it.

    Raises:
        ModelError: not a checkpoint folder, or its weights do not fit its configuration.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a checkpoint folder, as training and `wordsight models convert` write them")
    try:
        config = json.loads(read_regular(folder / "config.json", 64 << 20))
        if "format" not in config and (folder / "model.safetensors").is_file():
            raise ModelError(no_pack_yet(folder))
        if config["format"] != FORMAT:
            raise ModelError(f"{folder} has checkpoint format {config['format']}, this version reads {FORMAT}")
        if not (folder / "model.safetensors").is_file():  # a pipe would be waited for
            raise OSError("model.safetensors is missing")
        state = load_file(folder / "model.safetensors")
        _check_depths([config.get(key) for key in ("config", "peft", "clipter")], len(state))
        if config["config"].get("hub"):
            config["config"]["hub"]["tokenizer"] = read_regular(folder / TOKENIZER).decode()
        model = model_class(config["architecture"]).from_config(config["config"])
        if isinstance(model, Recognizer):
            put_around(model, config)
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
        if any(v.isnan().any() for v in state.values() if v.is_floating_point()):
            raise ModelError(f"{folder}: some of its weights are NaN: train or download it again")
        about = config.get("about", {})
        if not isinstance(about, dict):
            raise ValueError("about is no object")
    except (*MALFORMED, OSError, SafetensorError) as error:
        raise ModelError(f"{folder} is not a checkpoint folder: {type(error).__name__}: {error}") from None
    except MemoryError:
        raise ModelError(f"{folder}: its configuration needs more memory than there is") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{folder}: the weights do not fit the configuration: {reason[:300]}") from None
    return model.eval(), about


def _check_depths(values: object, tensors: int) -> None:
    """Refuse a configuration of more layers than there are tensors, which would be made for ever.

    Raises:
        ValueError: it has them.
    """
    if isinstance(values, list):
        for value in values:
            _check_depths(value, tensors)
    for key, value in values.items() if isinstance(values, dict) else ():
        counts = value if isinstance(value, list) else [value]
        if any(word in key for word in _DEPTHS) and any(isinstance(n, int | float) and n > tensors for n in counts):
            raise ValueError(f"{key} of its configuration is more than its weights are for")
        _check_depths(value, tensors)
