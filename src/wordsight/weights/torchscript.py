"""The tensors of a TorchScript archive, without running anything of it.

OpenAI publishes CLIP as TorchScript archives. `torch.jit.load` compiles the code inside, and `torch.load` refuses such
archives under `weights_only`; so the archive's pickle is interpreted here, and only as data: a name stays a name, a
call stays a record of a call, nothing is imported and nothing is called. Whatever the pickle says, the worst that it
can do is to be refused.
"""

import pickletools
import zipfile
from dataclasses import dataclass, field
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


class NotUnderstood(ValueError):
    """An archive that is damaged, or holds what no set of weights needs."""


@dataclass
class _Name:
    """What a pickle would have imported."""

    path: str


@dataclass
class _Call:
    """What a pickle would have called or made, and the state that it would have got."""

    what: Any
    arguments: tuple[Any, ...]
    state: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Storage:
    """Where the numbers of a tensor are."""

    dtype: torch.dtype
    key: str
    count: int


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
        (pickle,) = [n for n in archive.namelist() if n.endswith("/data.pkl") and n.count("/") == 1]
        root = pickle.removesuffix("data.pkl")
        module = _interpret(archive.read(pickle))
        tensors: dict[str, Tensor] = {}
        _collect(module, "", tensors, _Reader(archive, f"{root}data/"))
    except (OSError, NotUnderstood):
        raise
    except Exception as error:  # a damaged archive can fail in any way
        raise NotUnderstood(f"{type(error).__name__}: {error}") from None
    return tensors


_MOST = 100_000  # parts of a module; CLIP's largest archive has a hundredth of it


class _Reader:
    """Reads storages, each once."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self.seen = 0
        self._archive, self._folder = archive, folder
        self._storages: dict[str, Tensor] = {}

    def tensor(self, call: _Call) -> Tensor:
        """The tensor that `torch._utils._rebuild_tensor_v2` would have made."""
        storage, offset, size, stride = call.arguments[:4]
        if not isinstance(storage, _Storage):
            raise NotUnderstood("a tensor without a storage")
        numbers = self._storages.get(storage.key)
        if numbers is None:
            entry = self._archive.getinfo(self._folder + storage.key)
            width = torch.empty((), dtype=storage.dtype).element_size()
            if entry.file_size != storage.count * width:
                raise NotUnderstood(f"{entry.filename} has {entry.file_size} bytes, not {storage.count * width}")
            numbers = torch.frombuffer(bytearray(self._archive.read(entry) or bytes(width)), dtype=storage.dtype)
            self._storages[storage.key] = numbers
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if prod(size) else 0
        if min((offset, *size, *stride)) < 0 or last >= max(storage.count, 1):
            raise NotUnderstood("a tensor larger than its storage")
        return numbers.as_strided(size, stride, offset)


def _collect(value: Any, name: str, out: dict[str, Tensor], reader: _Reader) -> None:
    """Tensors that are attributes of modules, by their path; lists and plain values are no part of a state dict."""
    reader.seen += 1
    if reader.seen > _MOST or name.count(".") > 64:
        raise NotUnderstood("modules without end")
    if not isinstance(value, _Call):
        return
    if value.what == _Name("torch._utils._rebuild_tensor_v2"):
        out[name] = reader.tensor(value)
    for key, part in value.state.items():
        _collect(part, f"{name}.{key}" if name else str(key), out, reader)


def _interpret(pickle: bytes) -> Any:
    """A pickle as data. Knows the instructions that TorchScript writes (protocol 2) and refuses all others."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    constants = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
    for operation, argument, _ in pickletools.genops(pickle):
        match operation.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE" as name:
                stack.append(constants[name])
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "GLOBAL":
                stack.append(_Name(str(argument).replace(" ", ".")))
            case "BINPUT" | "LONG_BINPUT":
                memo[int(argument)] = stack[-1]  # type: ignore[arg-type]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[int(argument)])  # type: ignore[arg-type]
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items = since_mark()
                stack[-1].extend(items)
            case "SETITEM":
                item, key = stack.pop(), stack.pop()
                stack[-1][key] = item
            case "SETITEMS":
                items = since_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "REDUCE" | "NEWOBJ":
                arguments, what = stack.pop(), stack.pop()
                stack.append(_Call(what, tuple(arguments)))
            case "BUILD":
                state = stack.pop()
                if not isinstance(stack[-1], _Call) or not isinstance(state, dict):
                    raise NotUnderstood("state for what is no module")
                stack[-1].state = state
            case "BINPERSID":
                kind, storage, key, _, count = stack.pop()
                dtype = _DTYPES.get(storage.path.removeprefix("torch.")) if isinstance(storage, _Name) else None
                if kind != "storage" or dtype is None:
                    raise NotUnderstood(f"a storage of an unknown kind ({getattr(storage, 'path', storage)})")
                stack.append(_Storage(dtype, str(key), int(count)))
            case name:
                raise NotUnderstood(f"the instruction {name}, which TorchScript does not write")
    raise NotUnderstood("its pickle does not end")
