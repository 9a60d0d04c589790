"""Adapters on disk: a folder with `adapter.safetensors` and `adapter.json`, a few megabytes beside a large base.

Kept is what was trained (new weights, decoders, heads ...), not what stood still: that is named by its hash.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from wordsight.errors import ConfigError, ModelError
from wordsight.files import filling
from wordsight.models.clipter import ClipterConfig, insert
from wordsight.models.clipter.model import Fusion
from wordsight.models.config import MALFORMED, PeftConfig
from wordsight.models.peft.towers import add_peft
from wordsight.models.recognizer import Recognizer

M = TypeVar("M", bound=Recognizer)

FORMAT = 1


def save_adapter(model: Recognizer, folder: str | Path, **about: object) -> Path:
    """Writes what trains in `model` (all parameters that require a gradient) into `folder`.

    Raises:
        ConfigError: the model has no adapters.
    """
    if model.peft is None:
        raise ConfigError("this model has no adapters to save: save it as a checkpoint")
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    folder = Path(folder)
    listed = around(model) | {
        "format": FORMAT,
        "architecture": model.architecture,
        "config": model.cfg.to_dict(),
        "base": {"sha256": fingerprint(state, trained)},
        "about": about,
    }
    with filling(folder, last="adapter.json") as new:
        save_file({name: state[name] for name in sorted(trained)}, new / "adapter.safetensors")
        (new / "adapter.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return folder


def load_adapter(base: M, folder: str | Path) -> M:
    """A recognizer made of the plain model `base` and the adapters in `folder`, in eval mode. `base` is not changed.

    Raises:
        ModelError: no adapters there, or they were trained on another base.
    """
    folder = Path(folder)
    try:
        listed = json.loads((folder / "adapter.json").read_text(encoding="utf-8"))
        if listed["format"] != FORMAT:
            raise ModelError(f"{folder} has adapter format {listed['format']}, this version reads {FORMAT}")
        trained = load_file(folder / "adapter.safetensors")
        wanted = listed["base"]["sha256"]
        model = type(base).from_config(listed["config"])
        # Where the charset grew, the base's rows do not fit; they are among what was trained.
        shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
        fitting = {name: tensor for name, tensor in base.state_dict().items() if shapes.get(name) == tensor.shape}
        model.load_state_dict(fitting, strict=False)
        put_around(model, listed)
    except (*MALFORMED, OSError, SafetensorError) as error:
        raise ModelError(f"{folder} is not a folder of adapters: {type(error).__name__}: {error}") from None
    state = model.state_dict()
    if not trained.keys() <= state.keys() or any(trained[k].shape != state[k].shape for k in trained):
        raise ModelError(f"{folder}: the adapters do not fit their own configuration: train them again")
    if fingerprint(state, trained.keys()) != wanted:
        raise ModelError(
            f"{folder}: these adapters belong to another base model (sha256 {wanted[:12]}...): use that one"
        )
    model.load_state_dict(trained, strict=False)
    return model.eval()


def around(model: Recognizer) -> dict[str, Any]:
    """What was put into a recognizer after it was built, and how far it listens to scenes."""
    out: dict[str, Any] = {} if model.peft is None else {"peft": model.peft.to_dict()}
    if model.clipter is not None:
        out |= {"clipter": model.clipter.to_dict(), "gates": gates(model)}
    return out


def gates(model: Recognizer) -> dict[str, float]:
    """How far a model with CLIPTER listens to scenes, by place."""
    fusions = ((place, one) for place, one in model.fusions.items() if isinstance(one, Fusion))
    return {place: round(float(fusion.gate.value.detach()), 6) for place, fusion in fusions}


def put_around(model: Recognizer, values: Mapping[str, Any]) -> None:
    """The inverse of `around`; a model that had nothing put into it stays as it is.

    Raises:
        ConfigError: its values are none.
    """
    if "peft" in values:
        add_peft(model, PeftConfig.from_dict(values["peft"]))
    if "clipter" in values:
        insert(model, ClipterConfig.from_dict(values["clipter"]))


def fingerprint(state: Mapping[str, Tensor], without: Collection[str] = ()) -> str:
    """SHA-256 of the tensors of `state` as float32, by name, leaving out the names in `without`."""
    digest = hashlib.sha256()
    for name in sorted(state.keys() - set(without)):
        tensor = state[name].detach().cpu()
        values = tensor.float() if tensor.is_floating_point() else tensor
        digest.update(f"{name} {tuple(values.shape)}\n".encode())
        digest.update(values.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
