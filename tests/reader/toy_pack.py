"""A pack of hand-made ONNX graphs that takes no training and no torch: for testing all that is around a model.

What it reads is nonsense, but a fixed function of the crop's colours: a chain in which every character follows from the
one before and from the picture.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wordsight.decoding import PSM
from wordsight.imaging import Preprocessing
from wordsight.runtime import Pack, load_pack
from wordsight.runtime.pack import write_manifest
from wordsight.runtime.signatures import input_shape
from wordsight.text import Charset

DEPTH, MEMORY, WIDTH = 1, 12, 4
FLAT = DEPTH * 2 * MEMORY * WIDTH


def write_toy_pack(folder: Path) -> Path:
    folder.mkdir(parents=True)
    charset, preprocessing = Charset.preset("94+space"), Preprocessing()
    classes = len(charset) + 1
    graphs = PSM.signature(input_shape(preprocessing), classes, 26, {"image": [("batch", DEPTH, 2, MEMORY, WIDTH)]})
    pack = Pack(folder, "toy", "toy", charset, preprocessing, 40, 1, 1.0, graphs, {})
    dice = np.random.default_rng(5)
    picture = dice.normal(size=(FLAT, classes)).astype(np.float32)
    chain = 4 * dice.normal(size=(classes + 2, classes)).astype(np.float32)
    picture[:, 0] = 0
    chain[:, 0], chain[1::4, 0] = -20, 40  # after every fourth character a word ends
    _save(
        graphs["image"],
        folder,
        [
            helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[32, 8], strides=[32, 8]),
            helper.make_node("Concat", ["pooled", "pooled"], ["twice"], axis=1),
            helper.make_node("Reshape", ["twice", "shape"], ["kv_visual"]),
        ],
        {"shape": np.array([-1, DEPTH, 2, MEMORY, WIDTH])},
    )
    _save(
        graphs["visual"],
        folder,
        [
            helper.make_node("Reshape", ["kv", "flat"], ["seen"]),
            helper.make_node("MatMul", ["seen", "picture"], ["of_picture"]),
            helper.make_node("Unsqueeze", ["of_picture", "one"], ["of_picture_1"]),
            helper.make_node("Gather", ["chain", "tokens"], ["of_token"]),
            helper.make_node("Add", ["of_picture_1", "of_token"], ["plain"]),
            helper.make_node("ReduceMax", ["mask", "two"], ["open"], keepdims=1),  # 0: every query may look somewhere
            helper.make_node("Add", ["plain", "open"], ["logits"]),
        ],
        {"flat": np.array([-1, FLAT]), "picture": picture, "one": np.array([1]), "chain": chain, "two": np.array([2])},
    )
    write_manifest(replace(pack, files={}))
    load_pack(folder)
    return folder


def _save(graph, folder: Path, nodes: list, constants: dict[str, np.ndarray]) -> None:
    def infos(shapes) -> list:
        kinds = {name: TensorProto.INT64 if name == "tokens" else TensorProto.FLOAT for name in shapes}
        return [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in shapes.items()]

    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    body = helper.make_graph(nodes, graph.file, infos(graph.inputs), infos(graph.outputs), initializers)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / graph.file)
