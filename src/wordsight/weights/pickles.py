"""Archives of PyTorch read as data: nothing that their pickles name is imported, and nothing is called.

OpenAI publishes CLIP as TorchScript archives, whose code `torch.jit.load` would compile and `torch.load` refuses. And
training checkpoints hold more than weights: methods of Lightning's schedules (until PyTorch 2.0), OmegaConf's lists and
dictionaries.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_TENSOR, _PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # protocol 2 writes the names of its time

_HARMLESS = ("torch", "collections", "argparse", "omegaconf", "typing", "pytorch_lightning", "lightning", "pathlib")
"""Packages whose names frameworks leave in training checkpoints."""
_PLAIN = ("dict", "list", "tuple", "set", "int", "long", "float", "str", "unicode", "bool", "bytes", "getattr")
"""Python's own names there: types, and `getattr` for methods."""

_MOST = 1_000_000  # values that are looked at; the largest CLIP4STR has 738 tensors
_DEEPEST = 32


class NotUnderstood(ValueError):
    """An archive that is damaged, or holds what no set of weights needs."""


class Refused(NotUnderstood):
    """A pickle that asks for something that no training leaves behind. `name` is what."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is a TorchScript archive: tensors and code."""
    names = archive.namelist()
    return any(n.endswith("/constants.pkl") for n in names) and any("/code/" in n for n in names)


def read_torchscript(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """The parameters and buffers of a TorchScript archive, named as in the `state_dict` of the module in it.

    Raises:
        NotUnderstood: it is no module.
        Exception: of any kind, if it is damaged.
    """
    module, numbers = _content(archive, lambda _: None)
    return dict(_named(_Values(numbers).of(module)))


def _named(part: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors by their dotted names; lists and plain values are no part of a state dict."""
    if isinstance(part, Tensor):
        yield name, part
    elif isinstance(part, dict):
        for key, inner in part.items():
            yield from _named(inner, f"{name}.{key}" if name else str(key))


def read_training(archive: zipfile.ZipFile) -> Any:
    """What a checkpoint holds: dictionaries, lists, plain values and tensors. What was an object is None.

    Optimisers' states are not read.

    Raises:
        Refused: it asks for what no training needs.
        Exception: of any kind, if it is damaged.
    """
    content, numbers = _content(archive, _check)
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in ("optimizer_states", "lr_schedulers")}
    return _Values(numbers).of(content)


def _check(path: str) -> None:
    package, _, rest = path.partition(".")
    if package not in _HARMLESS and not (package == "builtins" and rest in _PLAIN):
        raise Refused(path)


class _Values:
    """Turns records into values."""

    def __init__(self, numbers: "_Numbers") -> None:
        self._numbers = numbers
        self._seen = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        self._seen += 1
        if self._seen > _MOST or depth > _DEEPEST:
            raise NotUnderstood("values nested too deeply")
        if isinstance(value, _Record):
            if value.path == _TENSOR:
                return self._numbers.tensor(value.arguments)
            return self.of(value.content(), depth + 1)
        if isinstance(value, dict):
            return {key: self.of(part, depth + 1) for key, part in value.items() if isinstance(key, str | int)}
        if isinstance(value, list | tuple):
            return [self.of(part, depth + 1) for part in value]
        return value if isinstance(value, str | int | float | None) else None


class _Record:
    """What a pickle would have called or made: its name, the arguments, and the state and items that it would get."""

    path = ""  # that of its class, which `_Unpickler` makes
    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> "_Record":  # not __init__, which pickles of objects leave out
        record = super().__new__(cls)
        record.arguments, record.items = arguments, {}
        return record

    def __init__(self, *_: Any) -> None:
        self.items: dict[Any, Any]

    def __call__(self, *arguments: Any) -> "_Record":
        return _Record(*arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, item: Any) -> None:
        self.items[key] = item

    def append(self, item: Any) -> None:
        """Other kinds of lists stay without their items."""

    extend = append

    def content(self) -> Any:
        """What a configuration, module or parameter holds; None for most objects."""
        state = self.state if isinstance(self.state, dict) else {}
        if self.path == _PARAMETER:
            return self.arguments[0]
        if self.path.startswith("omegaconf."):  # its containers hold nodes, its nodes values
            return state.get("_content", state.get("_val"))
        if self.path == "argparse.Namespace" or self.path.startswith("__torch__."):  # modules of a TorchScript archive
            return state
        return self.items or None


class _Dict(dict[Any, Any]):
    """Stands for dictionaries of other kinds, which are filled item by item."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None:
        """Attributes of a dictionary are left out."""


class _Unpickler(pickle._Unpickler):  # in Python: its memory grows with the file alone, whatever the file says
    """Gives records for whatever the pickle names, so that nothing is imported; calls of records do nothing."""

    def __init__(self, pickled: bytes, check: Callable[[str], None]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._check = check

    def find_class(self, module: str, name: str) -> Any:
        path = f"{_OF_PYTHON_2.get(module, module)}.{name}"
        self._check(path)
        if path in ("collections.OrderedDict", "collections.defaultdict", "builtins.dict"):
            return _Dict
        return type("Record", (_Record,), {"path": path})

    def persistent_load(self, pid: Any) -> "_Storage":
        kind, storage, key, _, count = pid
        path = getattr(storage, "path", "")
        dtype = _DTYPES.get(path.removeprefix("torch."))
        if kind != "storage" or dtype is None:
            raise NotUnderstood(f"a storage of an unknown kind ({path})")
        return _Storage(dtype, str(key), int(count))


def _content(archive: zipfile.ZipFile, check: Callable[[str], None]) -> tuple[Any, "_Numbers"]:
    """The one pickle of an archive, its names seen by `check`, and the numbers stored beside it."""
    found = [n for n in archive.namelist() if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(found) != 1:
        raise NotUnderstood(f"an archive with {len(found)} pickles")
    pickled = archive.read(found[0])
    if foreign := next((op.name for op, *_ in pickletools.genops(pickled) if op.proto > 2), None):
        raise NotUnderstood(f"the instruction {foreign}, which PyTorch does not write")
    return _Unpickler(pickled, check).load(), _Numbers(archive, f"{found[0].removesuffix('data.pkl')}data/")


@dataclass(frozen=True)
class _Storage:
    """Where the numbers of a tensor are."""

    dtype: torch.dtype
    key: str
    count: int


class _Numbers:
    """The storages of an archive, each read once, when a tensor of it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self._storages: dict[str, Tensor] = {}

    def tensor(self, arguments: tuple[Any, ...]) -> Tensor:
        """The tensor that `torch._utils._rebuild_tensor_v2` would have made."""
        storage, offset, size, stride = arguments[:4]
        if not isinstance(storage, _Storage):
            raise NotUnderstood("a tensor without a storage")
        numbers = self._storages.get(storage.key)
        if numbers is None:
            entry = self._archive.getinfo(self._folder + storage.key)
            width = storage.dtype.itemsize
            if entry.file_size != storage.count * width:
                raise NotUnderstood(f"{entry.filename} has {entry.file_size} bytes, not {storage.count * width}")
            numbers = torch.frombuffer(bytearray(self._archive.read(entry) or bytes(width)), dtype=storage.dtype)
            self._storages[storage.key] = numbers
        if numbers.dtype != storage.dtype:
            raise NotUnderstood("numbers of two kinds in one storage")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if prod(size) else 0
        if min((offset, *size, *stride)) < 0 or last >= max(storage.count, 1):
            raise NotUnderstood("a tensor larger than its storage")
        return numbers.as_strided(size, stride, offset)
