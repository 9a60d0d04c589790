"""Taking the tensors of a foreign checkpoint one by one, so that none is missed, forgotten or of the wrong shape."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from wordsight.errors import ModelError

State = dict[str, Tensor]
"""Tensors under our names."""


class Tensors:
    """A checkpoint's tensors by their foreign names. What is wrong is gathered, and said once by `check`.

    A tensor that is missing, has another shape or no floating-point numbers comes as one of the right shape on the meta
    device, so that mapping continues and all problems are reported at its end.
    """

    def __init__(self, tensors: Mapping[str, Tensor], source: str) -> None:
        self._tensors = tensors
        self._source = source
        self._taken: set[str] = set()
        self._missing: list[str] = []
        self._misshapen: list[str] = []
        self._no_weights: list[str] = []
        self._not_finite: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def begin(self, start: str) -> bool:
        """Whether any name begins so."""
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

    def dimensions(self, name: str) -> int:
        """How many dimensions a tensor has that is there."""
        return self._tensors[name].ndim

    def count(self, pattern: str) -> int:
        """How many layers there are: one more than the largest number at `{}` in the names that begin so."""
        before, after = map(re.escape, pattern.split("{}"))
        found = (re.match(rf"{before}(\d+){after}", name) for name in self._tensors)
        return max((int(match[1]) + 1 for match in found if match), default=0)

    def take(self, name: str, *shape: int) -> Tensor:
        """The tensor called `name`, of this shape, which counts as used from now on."""
        tensor = self._tensors.get(name)
        self._taken.add(name)
        if tensor is None:
            self._missing.append(name)
        elif tuple(tensor.shape) != shape:
            self._misshapen.append(f"{name} is {_shape(tensor.shape)}, not {_shape(shape)}")
        elif not tensor.is_floating_point():
            self._no_weights.append(f"{name} is {str(tensor.dtype).removeprefix('torch.')}")
        else:
            if tensor.numel() and not all(end.isfinite() for end in tensor.aminmax()):  # of NaN both ends are NaN
                self._not_finite.append(name)
            return tensor
        return torch.empty(shape, device="meta")

    def check(self) -> None:
        """Say what was missing, had the wrong shape or holds no weights as they are trained.

        Raises:
            ModelError: there was something.
        """
        problems = []
        if self._missing:
            problems.append(f"{_count(self._missing, 'tensor')} missing ({some(self._missing)})")
        if self._misshapen:
            problems.append(f"{_count(self._misshapen, 'wrong shape')} ({some(self._misshapen)})")
        if self._no_weights and not problems:
            what = f"{_count(self._no_weights, 'tensor')} without floating-point numbers ({some(self._no_weights)})"
            raise ModelError(f"{self._source}: {what}: get the weights before they were quantised")
        if self._not_finite and not problems:
            what = f"{_count(self._not_finite, 'tensor')} with numbers that are not finite ({some(self._not_finite)})"
            raise ModelError(f"{self._source}: {what}: its training diverged, take an earlier checkpoint of it")
        if problems:
            raise ModelError(f"{self._source}: {'; '.join(problems)}: the file is damaged, or another kind of model")

    def unused(self) -> list[str]:
        """Names of the tensors that nobody took."""
        return sorted(set(self._tensors) - self._taken)


def some(names: Iterable[str]) -> str:
    """The first names of a list, and how many more."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _count(items: list[str], what: str) -> str:
    return f"{len(items)} {what}{'s' if len(items) > 1 else ''}"


def linear(tensors: Tensors, source: str, ours: str, rows: int, columns: int) -> State:
    """A linear layer's weight and bias."""
    return {
        f"{ours}.weight": tensors.take(f"{source}.weight", rows, columns),
        f"{ours}.bias": tensors.take(f"{source}.bias", rows),
    }


def norm(tensors: Tensors, source: str, ours: str, width: int) -> State:
    """A layer norm's weight and bias."""
    return {f"{ours}.{part}": tensors.take(f"{source}.{part}", width) for part in ("weight", "bias")}


def packed_attention(tensors: Tensors, weight: str, bias: str | None, ours: str, width: int) -> State:
    """The q, k and v projections out of one matrix of three times the rows. No bias means zeros."""
    state: State = {}
    weights = tensors.take(weight, 3 * width, width).chunk(3)
    biases = (tensors.take(bias, 3 * width) if bias else weights[0].new_zeros(3 * width)).chunk(3)
    for part, w, b in zip("qkv", weights, biases, strict=True):
        state |= {f"{ours}.{part}.weight": w, f"{ours}.{part}.bias": b}
    return state


@dataclass(frozen=True)
class BlockNames:
    """What a library calls the parts of a pre-norm transformer block. `qkv` is one packed projection, or three."""

    norm1: str
    qkv: tuple[str, ...]
    out: str
    norm2: str
    up: str
    down: str
    biased: bool = True
    """Whether a packed projection must have a bias."""


OPENAI_BLOCK = BlockNames("ln_1", ("attn.in_proj_",), "attn.out_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
"""Also open_clip's; `torch.nn.MultiheadAttention` has no dot in the names of its packed projection."""

HUGGING_FACE_BLOCK = BlockNames(
    "layer_norm1",
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attn.out_proj",
    "layer_norm2",
    "mlp.fc1",
    "mlp.fc2",
)

TIMM_BLOCK = BlockNames("norm1", ("attn.qkv.",), "attn.proj", "norm2", "mlp.fc1", "mlp.fc2", biased=False)
"""The ViT that MIIL trained on ImageNet-21K has no bias in its packed projections, others do."""


def blocks(tensors: Tensors, prefix: str, names: BlockNames, width: int) -> tuple[State, int]:
    """All blocks of a tower, and how many. `prefix` has `{}` where the number stands and ends with a dot."""
    count = tensors.count(prefix)
    state: State = {}
    for i in range(count):
        theirs, ours = prefix.format(i), f"blocks.{i}"
        state |= norm(tensors, theirs + names.norm1, f"{ours}.norm1", width)
        state |= norm(tensors, theirs + names.norm2, f"{ours}.norm2", width)
        if len(names.qkv) == 1:
            weight, bias = (theirs + names.qkv[0] + part for part in ("weight", "bias"))
            given = bias if names.biased or bias in tensors else None
            state |= packed_attention(tensors, weight, given, f"{ours}.attention", width)
        else:
            for part, name in zip("qkv", names.qkv, strict=True):
                state |= linear(tensors, theirs + name, f"{ours}.attention.{part}", width, width)
        state |= linear(tensors, theirs + names.out, f"{ours}.attention.out", width, width)
        state |= linear(tensors, theirs + names.up, f"{ours}.mlp.0", 4 * width, width)
        state |= linear(tensors, theirs + names.down, f"{ours}.mlp.3", width, 4 * width)
    return state, count


def prefixed(prefix: str, state: State) -> State:
    """The state of a part as that of the whole."""
    return {prefix + name: tensor for name, tensor in state.items()}
