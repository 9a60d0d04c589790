"""Opens other people's checkpoints in any container; nothing in them is executed.

| packed as | read with |
|---|---|
| pickle of PyTorch (.pt, .pth, .ckpt, .bin) | `torch.load(weights_only=True)`, memory-mapped where the file allows it |
| the same with optimisers and configurations as objects | `pickles.py`, which reads it as data |
| TorchScript archive (OpenAI's .pt) | the same |
| safetensors | safetensors |
| folder | its `config.json` or `open_clip_config.json` as facts, and the one checkpoint in it, in parts or whole |

A file's content decides what it is, never its name.
"""

import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from wordsight.errors import ModelError
from wordsight.weights.pickles import Refused, is_torchscript, read_torchscript, read_training
from wordsight.weights.tensors import some


@dataclass(frozen=True)
class Foreign:
    """What was found in a file or folder.

    Attributes:
        path: where.
        packed: how, in words.
        tensors: by name.
        facts: what else it says of itself: the `hyper_parameters` of a training checkpoint, a folder's JSON files
            under their names.
    """

    path: Path
    packed: str
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any] = field(default_factory=dict)


def open_foreign(path: str | Path) -> Foreign:
    """Read a checkpoint file, or a folder with one checkpoint in it.

    Raises:
        ModelError: it is no checkpoint, is damaged, or holds code.
    """
    path = Path(path)
    try:
        foreign = _open_folder(path) if path.is_dir() else _open_file(path)
    except OSError as error:
        raise ModelError(
            f"{error.filename or path} cannot be read ({error.strerror or error}): check the path"
        ) from None
    if not foreign.tensors:
        raise ModelError(f"{path} is {foreign.packed} without tensors: pass a file with a state dict")
    return foreign


# Files with facts, and checkpoints in the order of preference.
_FACTS = ("config.json", "open_clip_config.json", "preprocessor_config.json")
_WHOLE = ("model.safetensors", "open_clip_model.safetensors", "open_clip_pytorch_model.bin", "pytorch_model.bin")


def _open_folder(folder: Path) -> Foreign:
    facts = {name: _json(folder / name) for name in _FACTS if (folder / name).is_file()}
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        if (folder / index).is_file():
            return Foreign(folder, "a folder of parts", _open_parts(folder, index), facts)
    named = [folder / name for name in _WHOLE if (folder / name).is_file()]
    files = named or sorted(f for f in folder.iterdir() if f.is_file() and _kind(f))
    if not named and len(files) != 1:
        what = f"{len(files)} checkpoints" if files else "no checkpoint"
        raise ModelError(f"{folder} holds {what}: pass the file you mean")
    found = _open_file(files[0])
    return Foreign(folder, f"a folder with {found.packed}", found.tensors, {**facts, **found.facts})


def _open_parts(folder: Path, index: str) -> dict[str, Tensor]:
    weight_map = _json(folder / index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(part, str) for part in weight_map.values()):
        raise ModelError(f"{folder / index} has no weight_map: download the folder again")
    tensors: dict[str, Tensor] = {}
    for part in sorted(set(weight_map.values())):
        if Path(part).name != part:
            raise ModelError(
                f"{folder / index} names {part!r}, which is not a plain file name: download the folder again"
            )
        tensors |= _open_file(folder / part).tensors
    missing = sorted(set(weight_map) - set(tensors))
    if missing:
        raise ModelError(f"{folder}: {some(missing)} of {index} missing from its parts: download the folder again")
    return tensors


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ModelError(f"{path} is not JSON: download the folder again") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} is not a JSON object: download the folder again")
    return values


def _kind(path: Path) -> str:
    """ "zip", "pickle", "safetensors", or "" for anything else; by the first bytes."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[:1] == b"\x80":
        return "pickle"
    if len(head) == 9 and head[8:] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] < path.stat().st_size:
        return "safetensors"
    return ""


def _open_file(path: Path) -> Foreign:
    kind = _kind(path)
    if not kind:
        raise ModelError(f"{path} is not a checkpoint: pass a PyTorch file, safetensors, or a folder of these")
    with _readable(path):
        if kind == "safetensors":
            return Foreign(path, "safetensors", _unwrap(path, load_file(path))[0])
        if kind == "zip":
            with zipfile.ZipFile(path) as archive:
                if is_torchscript(archive):
                    return Foreign(path, "a TorchScript archive", read_torchscript(archive))
        try:
            with torch.serialization.safe_globals([_Namespace]), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about pickles of other protocols, which are then read or refused
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
        except pickle.UnpicklingError as error:
            if not zipfile.is_zipfile(path):
                raise ModelError(f"{path} {_refusal(str(error))}") from None
            with zipfile.ZipFile(path) as archive:  # more than weights, or code
                content = read_training(archive)
        return Foreign(path, "a PyTorch file", *_unwrap(path, content))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Says in one line what is wrong with a file: a damaged one can make its reader fail in any way."""
    try:
        yield
    except (ModelError, OSError):
        raise
    except Refused as error:
        raise ModelError(f"{path} {_asks_for(error.name)}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise ModelError(f"{path} is damaged or not a checkpoint ({reason}): download it again") from None


def _asks_for(name: str) -> str:
    return (
        f"asks for {name.removeprefix('builtins.')}, which no weights need: it was refused and nothing in it was "
        "executed; ask its author for a state dict or safetensors"
    )


def _refusal(reason: str) -> str:
    """Why `weights_only` refused a pickle, for people."""
    for start in ("GLOBAL ", "reduce for unrecognized function ", "Can only create new object for "):
        if start in reason:
            name = reason.split(start, 1)[1].split()[0].strip("`'\",.")
            return _asks_for(name)
    detail = reason.split("WeightsUnpickler error:", 1)[-1].split("Check the documentation", 1)[0]
    return (
        f"is not a checkpoint, or none that torch.save wrote ({' '.join(detail.split())[:120]}): nothing in it was "
        "executed; pass a file with a state dict"
    )


class _Namespace:
    """Stands in for `argparse.Namespace`, the options of a training script: accepts everything and does nothing."""

    __module__, __qualname__ = "argparse", "Namespace"

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


_CONTAINERS = ("state_dict", "model", "model_state_dict", "module")
_PREFIXES = ("module.", "_orig_mod.")  # of DistributedDataParallel and torch.compile


def _unwrap(path: Path, content: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state dict inside, without prefixes of wrappers, and what else the file holds."""
    facts: dict[str, Any] = {}
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        inner = next((k for k in _CONTAINERS if isinstance(content.get(k), Mapping)), None)
        if inner is None:
            break
        facts |= {k: content[k] for k in ("hyper_parameters",) if isinstance(content.get(k), Mapping)}
        content = content[inner]
    if not isinstance(content, Mapping):
        what = type(content).__name__
        raise ModelError(f"{path} holds a {what}, not a state dict: pass a file with tensors by name")
    tensors = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}
    while tensors and (prefix := next((p for p in _PREFIXES if all(k.startswith(p) for k in tensors)), None)):
        tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
    return tensors, facts
