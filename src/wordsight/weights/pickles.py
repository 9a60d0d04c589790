"""Pickles in archives of PyTorch, read as data: a name stays a name, a call stays a record of a call.

Nothing is imported and nothing is called, so whatever a pickle says, the worst that it can do is to be refused. Two
kinds of files need that: TorchScript archives (`torchscript.py`), and training checkpoints that hold their optimiser
and schedule as objects (`training.py`), which `torch.load(weights_only=True)` does not read.
"""

import pickletools
import zipfile
from collections.abc import Callable
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


@dataclass(frozen=True)
class Name:
    """What a pickle would have imported."""

    path: str


@dataclass(eq=False)
class Call:
    """What a pickle would have called or made, and the state and items that it would have got."""

    what: Any
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Storage:
    """Where the numbers of a tensor are."""

    dtype: torch.dtype
    key: str
    count: int


def pickle_of(archive: zipfile.ZipFile, check: Callable[[Name], None] | None = None) -> tuple[Any, "Numbers"]:
    """The one pickle of an archive, interpreted, and the numbers stored beside it. `check` sees every name.

    Raises:
        NotUnderstood: there is none, it is damaged, or it has instructions that PyTorch does not write.
    """
    found = [n for n in archive.namelist() if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(found) != 1:
        raise NotUnderstood(f"an archive with {len(found)} pickles")
    root = found[0].removesuffix("data.pkl")
    return interpret(archive.read(found[0]), check), Numbers(archive, f"{root}data/")


class Numbers:
    """The storages of an archive, each read once, when a tensor of it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self._storages: dict[str, Tensor] = {}

    def tensor(self, call: Call) -> Tensor:
        """The tensor that `torch._utils._rebuild_tensor_v2` would have made."""
        storage, offset, size, stride = call.arguments[:4]
        if not isinstance(storage, Storage):
            raise NotUnderstood("a tensor without a storage")
        numbers = self._storages.get(storage.key)
        if numbers is None:
            entry = self._archive.getinfo(self._folder + storage.key)
            width = torch.empty((), dtype=storage.dtype).element_size()
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


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_DICTS = {Name("collections.OrderedDict"), Name("collections.defaultdict"), Name("builtins.dict")}
_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # protocol 2 writes the names of its time


def interpret(pickle: bytes, check: Callable[[Name], None] | None = None) -> Any:
    """A pickle as data: plain values, `Name`, `Call` and `Storage`. Other dictionaries than dict become dicts.

    Knows the instructions of protocol 2, which PyTorch writes, and refuses all others.

    Raises:
        NotUnderstood: it has others, or does not end.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for operation, argument, _ in pickletools.genops(pickle):
        match operation.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case "POP":
                stack.pop()
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE" as name:
                stack.append(_CONSTANTS[name])
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "GLOBAL":
                module, _, name = str(argument).partition(" ")
                stack.append(Name(f"{_OF_PYTHON_2.get(module, module)}.{name}"))
                if check:
                    check(stack[-1])
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
                _append(stack[-1], [item])
            case "APPENDS":
                items = since_mark()
                _append(stack[-1], items)
            case "SETITEM":
                item, key = stack.pop(), stack.pop()
                _update(stack[-1], [key, item])
            case "SETITEMS":
                items = since_mark()
                _update(stack[-1], items)
            case "REDUCE" | "NEWOBJ":
                arguments, what = stack.pop(), stack.pop()
                stack.append({} if what in _DICTS else Call(what, tuple(arguments)))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], Call):
                    stack[-1].state = state  # of a dict these are attributes, which nobody asks for
            case "BINPERSID":
                kind, storage, key, _, count = stack.pop()
                dtype = _DTYPES.get(storage.path.removeprefix("torch.")) if isinstance(storage, Name) else None
                if kind != "storage" or dtype is None:
                    raise NotUnderstood(f"a storage of an unknown kind ({getattr(storage, 'path', storage)})")
                stack.append(Storage(dtype, str(key), int(count)))
            case name:
                raise NotUnderstood(f"the instruction {name}, which PyTorch does not write")
    raise NotUnderstood("its pickle does not end")


def _append(target: Any, items: list[Any]) -> None:
    """To a list; what would have been another kind of list stays without its items."""
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Call):
        raise NotUnderstood("items for something that is not a list")


def _update(target: Any, items: list[Any]) -> None:
    if not isinstance(target, dict | Call):
        raise NotUnderstood("entries for something that is not a dictionary")
    (target if isinstance(target, dict) else target.items).update(zip(items[::2], items[1::2], strict=True))
