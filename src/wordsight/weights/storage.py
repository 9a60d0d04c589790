"""How a pack keeps its weights: smaller on disk, the same float32 arithmetic when they are used.

Nodes with constant inputs give a stored weight its float32 value; ONNX Runtime folds them when it loads the graph, so
no run pays for them. Activations are not quantised: their scale would make a word's result depend on its batch.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALL = 1024
"""Tensors with fewer elements (biases, norms) stay float32: they are 1 % of the size and matter most."""


def shrink(model: onnx.ModelProto, weights: str) -> None:
    """Store the large float32 weights of `model` as "float16" or "int8", in place; "float32" leaves them.

    int8 is symmetric, with one scale per output channel of a convolution or product, and per row of an embedding.
    """
    if weights == "float32":
        return
    graph = model.graph
    axes = _channel_axes(graph.node)
    stored, restore = [], []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALL:
            stored.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        if weights == "int8" and tensor.name in axes:
            levels, scale = quantize(values, axes[tensor.name])
            kept, scales, wide = (f"{tensor.name}.{part}" for part in ("int8", "scale", "levels"))
            stored += [numpy_helper.from_array(levels, kept), numpy_helper.from_array(scale, scales)]
            restore.append(helper.make_node("Cast", [kept], [wide], to=TensorProto.FLOAT))
            restore.append(helper.make_node("Mul", [wide, scales], [tensor.name]))
        else:
            kept = f"{tensor.name}.float16"
            stored.append(numpy_helper.from_array(values.astype(np.float16), kept))
            restore.append(helper.make_node("Cast", [kept], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*restore, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)


def quantize(
    values: npt.NDArray[np.float32], axis: int, most: int = 127
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Levels in -`most`..`most` and their scale along `axis`, shaped to multiply the levels."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scale = np.abs(values).max(axis=others, keepdims=True) / most
    scale[scale == 0] = 1
    return np.rint(values / scale).astype(np.int8), scale.astype(np.float32)


def _channel_axes(nodes: Iterable[onnx.NodeProto]) -> dict[str, int]:
    """Initializers that are the matrix of a product, a kernel or an embedding, and the axis of their channels."""
    axes = {}
    for node in nodes:
        if node.op_type == "MatMul":
            axes[node.input[1]] = 1
        elif node.op_type == "Gemm":
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            axes[node.input[1]] = 0 if transposed else 1
        elif node.op_type == "Conv":
            axes[node.input[1]] = 0
        elif node.op_type == "Gather":
            axes[node.input[0]] = 0
    return axes
