"""Training checkpoints that hold more than weights: optimisers, schedules and configurations as objects.

Lightning keeps the state of the one-cycle schedule, which until PyTorch 2.0 held its own curve as a method and with it
itself and the optimiser; Hydra's configurations come as OmegaConf's lists and dictionaries. None of these classes is
needed: the pickle is read as data (`pickles.py`), weights and hyper-parameters are taken out of it.
"""

import zipfile
from typing import Any

from wordsight.weights.pickles import Call, Name, NotUnderstood, Numbers, pickle_of

_HARMLESS = ("torch", "collections", "argparse", "omegaconf", "typing", "pytorch_lightning", "lightning", "pathlib")
"""Packages whose names frameworks leave in checkpoints."""
_PLAIN = ("dict", "list", "tuple", "set", "int", "long", "float", "str", "unicode", "bool", "bytes", "getattr")
"""Of Python's own: types, and `getattr` for methods."""

_MOST = 1_000_000  # values that are looked at; the largest CLIP4STR has 738 tensors
_DEEPEST = 32


class Refused(NotUnderstood):
    """A pickle that asks for something that no training leaves behind. `name` is what."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read_training(archive: zipfile.ZipFile) -> Any:
    """What a checkpoint holds: dictionaries, lists and plain values, and tensors. What was an object is None.

    Optimisers' states are not read.

    Raises:
        Refused: it asks for what no training needs.
        NotUnderstood: it is damaged.
    """
    content, numbers = pickle_of(archive, _check)
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in ("optimizer_states", "lr_schedulers")}
    return _Values(numbers).of(content)


def _check(name: Name) -> None:
    package, _, rest = name.path.partition(".")
    if package not in _HARMLESS and (package, rest) not in {("builtins", plain) for plain in _PLAIN}:
        raise Refused(name.path)


class _Values:
    """Turns records into values."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._seen = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        self._seen += 1
        if self._seen > _MOST or depth > _DEEPEST:
            raise NotUnderstood("values nested too deeply")
        if isinstance(value, dict):
            return {key: self.of(part, depth + 1) for key, part in value.items() if isinstance(key, str | int)}
        if isinstance(value, list | tuple):
            return [self.of(part, depth + 1) for part in value]
        if isinstance(value, Call):
            return self._made(value, depth)
        return value if isinstance(value, str | int | float | None) else None

    def _made(self, call: Call, depth: int) -> Any:
        path = call.what.path if isinstance(call.what, Name) else ""
        if path == "torch._utils._rebuild_tensor_v2":
            return self._numbers.tensor(call)
        if path == "torch._utils._rebuild_parameter":
            return self.of(call.arguments[0], depth + 1)
        state = call.state if isinstance(call.state, dict) else {}
        if path.startswith("omegaconf."):  # its containers hold nodes, its nodes values
            return self.of(state.get("_content", state.get("_val")), depth + 1)
        if path == "argparse.Namespace":
            return self.of(state, depth + 1)
        return self.of(call.items, depth + 1) if call.items else None  # what was a dictionary of some kind
