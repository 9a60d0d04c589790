"""An image tower that computes in int8: every product with a matrix of weights takes integers and gives float32 back.

Weights have one scale per output channel, activations one per token, computed in every run: there is no calibration,
and a word's result cannot depend on its batch. Everything else stays float32. The products are ONNX Runtime's
`MatMulIntegerToFloat`, which is VNNI where the processor has it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wordsight.weights.storage import SMALL, quantize

RUNTIME = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_MOST = 64  # level of a weight: without VNNI, two products with up to 255 are added in 16 bits, which hold 32,767

SIGNED, ACTIVATED = 128, 24
"""Which of 0..255 stands for zero: half of the levels are for negative numbers, or few, as GELU gives nothing below
-0.17. On the shipped model's tower that halves the error of what follows GELU, by far the largest."""

MARGIN = 0.3
"""Words with a smaller `Reading.margin` are in doubt. The shipped model's int8 tower changed 16 of 800 rendered words;
13 of them were among the 10 % below it."""


def to_int8(model: onnx.ModelProto) -> int:
    """Make the products in front of the last norm of `model` integer ones, in place. Returns how many there were."""
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    makers = {output: node for node in graph.node for output in node.output}
    norms = [i for i, node in enumerate(graph.node) if node.op_type == "LayerNormalization"]
    inside = range(norms[-1] if norms else 0)
    new = _Nodes()
    done = []
    for i, node in enumerate(graph.node):
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if i in inside and weight is not None and len(weight.dims) == 2 and np.prod(weight.dims) >= SMALL:
            zero = ACTIVATED if _activated(node.input[0], makers) else SIGNED
            new.product(node.input[0], numpy_helper.to_array(weight), node.output[0], zero)
            done.append(weight.name)
        else:
            new.nodes.append(node)
    used = {name for node in new.nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    nodes = list(new.nodes)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend([*kept, *new.constants.values()])
    graph.node.extend(nodes)
    if done:
        model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
    return len(done)


def _activated(name: str, makers: dict[str, onnx.NodeProto]) -> bool:
    """Whether this is the output of GELU or QuickGELU, x * sigmoid(1.702 x)."""
    maker = makers.get(name)
    if maker is None or maker.op_type != "Mul":
        return maker is not None and maker.op_type == "Gelu"
    return any(makers[x].op_type == "Sigmoid" for x in maker.input if x in makers)


@dataclass
class _Nodes:
    """A graph under construction."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    levels: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Activations that are integers already, for several products: those, and their scales."""

    def product(self, x: str, weight: Any, y: str, zero: int) -> None:
        """`y` (..., N) of activations `x` (..., K) and `weight` (K, N)."""
        integers, scale = self.levels.get(x) or self.quantized(x, weight.shape[0], zero)
        whole, scales = quantize(weight, 1, _MOST)
        inputs = [
            integers,
            self.constant(f"{y}.weight", whole),
            self.constant("quantized.one", np.float32(1)),
            self.constant(f"{y}.scales", scales[0]),
            self.constant(f"quantized.zero.{zero}", np.uint8(zero)),
        ]
        (product,) = self.add("MatMulIntegerToFloat", inputs, [f"{y}.whole"], domain=RUNTIME)
        self.add("Mul", [product, scale], [y])

    def quantized(self, x: str, width: int, zero: int) -> tuple[str, str]:
        """`x` (..., K) in 0..255 around `zero`, and the scales (..., 1) of its rows."""
        last, flat = self.constant("quantized.last", [-1]), self.constant("quantized.flat", [-1])
        ends: list[str] = []
        for op, levels in (("ReduceMax", 255 - zero), ("ReduceMin", -zero)):
            (end,) = self.add(op, [x, last], [f"{x}.{op}"], keepdims=1)
            share = self.constant(f"quantized.share.{levels}", np.float32(1 / levels))
            ends += self.add("Mul", [end, share], [f"{x}.{op}.scale"])
        least = self.constant("quantized.least", np.float32(1e-12))  # a row of zeros
        (scale,) = self.add("Max", [*ends, least], [f"{x}.scale"])
        # QuantizeLinear knows scales along one axis
        (rows,) = self.add("Reshape", [x, self.constant(f"quantized.rows.{width}", [-1, width])], [f"{x}.rows"])
        (of_row,) = self.add("Reshape", [scale, flat], [f"{x}.of_row"])
        (count,) = self.add("Shape", [of_row], [f"{x}.count"])
        wanted = self.constant(f"quantized.zeros.{zero}", np.array([zero], np.uint8))
        (zeros,) = self.add("Expand", [wanted, count], [f"{x}.zeros"])
        (levels_,) = self.add("QuantizeLinear", [rows, of_row, zeros], [f"{x}.levels"], axis=0)
        (shape,) = self.add("Shape", [x], [f"{x}.shape"])
        (integers,) = self.add("Reshape", [levels_, shape], [f"{x}.integers"])
        self.levels[x] = integers, scale
        return integers, scale

    def add(self, op: str, inputs: Iterable[str], outputs: Sequence[str], **options: Any) -> Sequence[str]:
        """Adds a node; returns its outputs."""
        self.nodes.append(helper.make_node(op, list(inputs), outputs, **options))
        return outputs

    def constant(self, name: str, value: Any) -> str:
        """Adds a constant; returns its name."""
        self.constants.setdefault(name, numpy_helper.from_array(np.asarray(value), name))
        return name
