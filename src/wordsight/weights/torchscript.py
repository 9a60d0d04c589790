"""The tensors of a TorchScript archive, without running anything of it.

OpenAI publishes CLIP as TorchScript archives. `torch.jit.load` compiles the code inside, and `torch.load` refuses such
archives under `weights_only`; so the archive's pickle is read as data (`pickles.py`).
"""

import zipfile
from typing import Any

from torch import Tensor

from wordsight.weights.pickles import Call, Name, NotUnderstood, Numbers, pickle_of


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is a TorchScript archive: tensors and code."""
    names = archive.namelist()
    return any(n.endswith("/constants.pkl") for n in names) and any("/code/" in n for n in names)


def read_torchscript(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """Its parameters and buffers, named as in the `state_dict` of the module that was saved.

    Raises:
        NotUnderstood: it is damaged, or no module.
    """
    try:
        module, numbers = pickle_of(archive)
        tensors: dict[str, Tensor] = {}
        _collect(module, "", tensors, numbers, [0])
    except (OSError, NotUnderstood):
        raise
    except Exception as error:  # a damaged archive can fail in any way
        raise NotUnderstood(f"{type(error).__name__}: {error}") from None
    return tensors


_MOST = 100_000  # parts of a module; CLIP's largest archive has a hundredth of it


def _collect(value: Any, name: str, out: dict[str, Tensor], numbers: Numbers, seen: list[int]) -> None:
    """Tensors that are attributes of modules, by their path; lists and plain values are no part of a state dict.

    `seen` counts all that is looked at.
    """
    seen[0] += 1
    if seen[0] > _MOST or name.count(".") > 64:
        raise NotUnderstood("modules nested too deeply")
    if not isinstance(value, Call):
        return
    if value.what == Name("torch._utils._rebuild_tensor_v2"):
        out[name] = numbers.tensor(value)
        return
    if value.state is not None and not isinstance(value.state, dict):
        raise NotUnderstood("state for something that is not a module")
    for key, part in (value.state or {}).items():
        _collect(part, f"{name}.{key}" if name else str(key), out, numbers, seen)
