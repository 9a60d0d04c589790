"""Takes the tensors of a foreign checkpoint one by one, so that none is missing, left over or of the wrong shape."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from wordsight.errors import ModelError
from wordsight.models.model import Model
from wordsight.models.peft import PeftConfig

M = TypeVar("M", bound=nn.Module)

State = dict[str, Tensor]
"""Tensors under our names."""

Facts = Mapping[str, Any]
"""What a checkpoint says of itself, see `foreign.Foreign`."""


@dataclass(frozen=True)
class Read:
    """A foreign checkpoint under our names.

    Attributes:
        model: what it becomes.
        config: of that model.
        state: its tensors; those that are absent are new.
        about: what its checkpoint folder says besides.
        peft: adapters that it has.
    """

    model: type[Model]
    config: Any
    state: State
    about: dict[str, Any] = field(default_factory=dict)
    peft: PeftConfig | None = None


class Tensors:
    """A checkpoint's tensors by their foreign names. Problems are collected, and reported together by `check`.

    A tensor that is missing, has another shape or no floating-point numbers comes as one of the right shape on the meta
    device, so that mapping continues and all problems are reported at its end.
    """

    def __init__(self, tensors: Mapping[str, Tensor], source: str) -> None:
        self._tensors = tensors
        self._source = source
        self._taken: set[str] = set()
        self._problems: dict[str, list[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def begin(self, start: str) -> bool:
        """Whether any name begins with `start`."""
        return any(name.startswith(start) for name in self._tensors)

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor from which sizes are inferred.

        Raises:
            ModelError: it is missing, or has another number of dimensions: then nothing can be inferred.
        """
        if name not in self._tensors:
            raise ModelError(f"{self._source}: it has no tensor {name!r}: the file is incomplete")
        shape = tuple(self._tensors[name].shape)
        if len(shape) != dimensions or 0 in shape:
            raise ModelError(f"{self._source}: {name!r} is {_shape(shape)}, not a tensor of {dimensions} dimensions")
        return shape

    def count(self, pattern: str) -> int:
        """How many layers there are: one more than the largest number at `{}` in the names that begin so."""
        before, after = map(re.escape, pattern.split("{}"))
        found = (re.match(rf"{before}(\d+){after}", name) for name in self._tensors)
        layers = max((int(match[1]) + 1 for match in found if match), default=0)
        return min(layers, len(self._tensors))  # a name can say any number

    def take(self, name: str, *shape: int) -> Tensor:
        """The tensor called `name`, of this shape or with dimensions of 1 before it; it counts as used from now on."""
        tensor = self._tensors.get(name)
        self._taken.add(name)
        if tensor is None:
            what, found = "missing", name
        elif (1,) * (tensor.ndim - len(shape)) + shape != tuple(tensor.shape):
            what, found = "of the wrong shape", f"{name} is {_shape(tensor.shape)}, not {_shape(shape)}"
        elif not tensor.is_floating_point():
            what, found = "without floating-point numbers", f"{name} is {str(tensor.dtype).removeprefix('torch.')}"
        else:
            if tensor.numel() and not all(end.isfinite() for end in tensor.aminmax()):  # of NaN both ends are NaN
                self._problems.setdefault("with numbers that are not finite", []).append(name)
            return tensor.reshape(shape)
        self._problems.setdefault(what, []).append(found)
        return torch.empty(shape, device="meta")

    def check(self) -> None:
        """Reports tensors that are missing, have the wrong shape or hold no weights as they are trained.

        Raises:
            ModelError: there was something.
        """
        for kinds, cure in _CURES.items():
            said = [f"{_count(names)} {kind} ({some(names)})" for kind in kinds if (names := self._problems.get(kind))]
            if said:
                raise ModelError(f"{self._source}: {'; '.join(said)}: {cure}")

    def unused(self) -> list[str]:
        """Names of the tensors that were not taken."""
        return sorted(set(self._tensors) - self._taken)


def some(names: Iterable[str]) -> str:
    """The first names of a list, and how many more."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _count(names: list[str]) -> str:
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''}"


_CURES = {
    ("missing", "of the wrong shape"): "the file is damaged, or another kind of model",
    ("without floating-point numbers",): "get the weights before they were quantised",
    ("with numbers that are not finite",): "its training diverged, take an earlier checkpoint of it",
}
"""What to do about problems, the gravest first; others are then not told."""


Rules = Sequence[tuple[str, str]]
"""Regular expressions and what replaces them, applied one after the other: from our name of a tensor to the foreign."""


def foreign_name(ours: str, rules: Rules) -> str:
    """What others call the tensor that we call `ours`."""
    for pattern, theirs in rules:
        ours = re.sub(pattern, theirs, ours)
    return ours


def fill(
    model: nn.Module, tensors: Tensors, rules: Rules, parts: str | tuple[str, ...] = "", optional: str | None = None
) -> State:
    """The tensors of a model, taken under their foreign names.

    Tensors of ours that have the same foreign name are packed into one there, one below the other. Our projections are
    matrices that tokens are multiplied by; where they are linear layers instead (`.weight`), they are transposed.

    Args:
        model: of the right sizes, on the meta device.
        tensors: to take from.
        rules: give the foreign names.
        parts: beginnings of our names, if only some of the tensors are wanted.
        optional: end of the foreign names of biases that may be missing, which means zeros.
    """
    known = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if name.startswith(parts)}
    groups: dict[str, list[str]] = {}
    for name in known:
        groups.setdefault(foreign_name(name, rules), []).append(name)
    state: State = {}
    for theirs, ours in groups.items():
        rows, *rest = known[ours[0]]
        if optional and theirs.endswith(optional) and theirs not in tensors:
            state |= {name: state[name.replace(".bias", ".weight")].new_zeros(rows) for name in ours}
        elif theirs.endswith("projection.weight"):
            state[ours[0]] = tensors.take(theirs, *rest, rows).T
        else:
            packed = tensors.take(theirs, len(ours) * rows, *rest)
            state |= dict(zip(ours, packed.chunk(len(ours)), strict=True))
    return state


def on_meta(kind: Callable[..., M], *config: object) -> M:
    """A model that has shapes and no numbers."""
    with torch.device("meta"):
        return kind(*config)
