"""A pack whose graphs are a few lines each, made without PyTorch, and what they compute in NumPy."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

from wordsight.decoding import PSM, Seen, Spec, join_arrays
from wordsight.imaging import Preprocessing
from wordsight.runtime import Pack
from wordsight.runtime.pack import write_manifest
from wordsight.runtime.signatures import input_shape, scene_graph, with_scenes
from wordsight.text import CharCaptions, Charset, CharTokenizer

CHARSET = Charset("few", "abcdefghijklmnopqrstuvw")
TOKENIZER = CharTokenizer(CHARSET)
SPEC = Spec(TOKENIZER, 12, CharCaptions(TOKENIZER, 12))
PREPROCESSING = Preprocessing(height=8, width=16)  # 3 x 8 x 16 values are just K and V of 8 tokens of width 24
WIDTH = TOKENIZER.num_classes
assert WIDTH == 24

_rng = np.random.default_rng(5)
TABLES = {name: _rng.normal(size=(TOKENIZER.vocab_size, WIDTH)).astype(np.float32) for name in ("look", "key", "value")}

SOURCES = {
    "image": """image (float[batch,3,8,16] image)
        => (float[batch,1,2,8,24] kv_visual, float[batch,1,2,8,24] kv_cross_image)
        <int64[5] shape = {0, 1, 2, 8, 24}> { kv_visual = Reshape(image, shape) kv_cross_image = Neg(kv_visual) }""",
    "visual": """visual (int64[batch,length] tokens, float[batch,1,2,8,24] kv, float[batch,length,length] mask)
        => (float[batch,length,24] logits) <int64[3] axes = {1, 2, 3}, int64[1] one = {1}>
        { content = Gather(look, tokens) weights = Softmax<axis = -1>(mask) seen = MatMul(weights, content)
          mean = ReduceMean<keepdims = 0>(kv, axes) memory = Unsqueeze(mean, one) logits = Add(seen, memory) }""",
    "text": """text (int64[batch,text] tokens) => (float[batch,1,2,text,24] kv_cross_text) <int64[2] axes = {1, 2}>
        { k = Gather(key, tokens) v = Gather(value, tokens) kk = Unsqueeze(k, axes) vv = Unsqueeze(v, axes)
          kv_cross_text = Concat<axis = 2>(kk, vv) }""",
    "cross": """cross (int64[batch,length] tokens, float[batch,1,2,memory,24] kv, float[batch,length,length] mask,
        float[batch,memory] memory_mask) => (float[batch,length,24] logits)
        <int64[3] wide = {1, 2, 4}, int64[3] axes = {1, 2, 3}, int64[1] one = {1}>
        { content = Gather(look, tokens) weights = Softmax<axis = -1>(mask) seen = MatMul(weights, content)
          share = Softmax<axis = -1>(memory_mask) shares = Unsqueeze(share, wide) part = Mul(kv, shares)
          sum = ReduceSum<keepdims = 0>(part, axes) sums = Unsqueeze(sum, one) logits = Add(seen, sums) }""",
}


SCENE_SIZE = Preprocessing(height=4, width=4)
SCENE_TOKENS = (3, 16)  # a channel of the picture each

SCENE_SOURCES = {
    "scene": """scene (float[scenes,3,4,4] image) => (float[scenes,3,16] tokens)
        <int64[3] shape = {0, 3, 16}> { tokens = Reshape(image, shape) }""",
    "image": """image (float[batch,3,8,16] image, float[scenes,3,16] scene, int64[batch] scene_index,
        float[batch] has_scene, float[batch,4] scene_box) => (float[batch,1,2,8,24] kv_visual)
        <int64[5] shape = {0, 1, 2, 8, 24}, int64[2] axes = {1, 2}, int64[4] wide = {1, 2, 3, 4}, int64[1] one = {1}>
        { flat = Reshape(image, shape) all = ReduceMean<keepdims = 0>(scene, axes) its = Gather(all, scene_index)
          box = ReduceSum<keepdims = 0>(scene_box, one) sum = Add(its, box) told = Mul(sum, has_scene)
          more = Unsqueeze(told, wide) kv_visual = Add(flat, more) }""",
    "visual": """visual (int64[batch,length] tokens, float[batch,1,2,8,24] kv, float[batch,length,length] mask,
        float[scenes,3,16] scene, int64[batch] scene_index, float[batch] has_scene, float[batch,4] scene_box)
        => (float[batch,length,24] logits)
        <int64[3] axes = {1, 2, 3}, int64[1] one = {1}, int64[2] both = {1, 2}, int64[1] first = {0},
         int64[1] end = {24}, int64[1] last = {1}, int64[2] as_rows = {0, -1}>
        { content = Gather(look, tokens) weights = Softmax<axis = -1>(mask) seen = MatMul(weights, content)
          mean = ReduceMean<keepdims = 0>(kv, axes) memory = Unsqueeze(mean, one) plain = Add(seen, memory)
          rows = Reshape(scene, as_rows) some = Slice(rows, first, end, last) its = Gather(some, scene_index)
          gate = Unsqueeze(has_scene, one) told = Mul(its, gate) more = Unsqueeze(told, one) logits = Add(plain, more)
          }""",
}
"""Of a pack whose image graph and decoder take scenes; there is no cross-modal branch."""


def signature(cross):
    made = {"image": [("batch", 1, 2, 8, WIDTH)]} | ({"text": [("batch", 1, 2, "text", WIDTH)]} if cross else {})
    return PSM.signature(input_shape(PREPROCESSING), TOKENIZER.num_classes, 13, made)


def write_scene_pack(folder: Path, *, where=("image", "visual"), **changes) -> Path:
    """The pack in `folder`, told of scenes in the graphs `where`."""
    folder.mkdir(parents=True, exist_ok=True)
    graphs = signature(cross=False)
    graphs = with_scenes(graphs, where, scene_graph(SCENE_SIZE, *SCENE_TOKENS), box=True)
    for name, graph in graphs.items():
        plain = SOURCES[name].replace(", float[batch,1,2,8,24] kv_cross_image", "") if name in SOURCES else ""
        plain = plain.replace("kv_cross_image = Neg(kv_visual)", "")
        write_graph(
            folder / graph.file, changes.get(name, SCENE_SOURCES[name] if graph.scene_inputs or not plain else plain)
        )
    pack = Pack(folder, folder.name, "parseq", CHARSET, PREPROCESSING, 12, 1, 1.0, graphs, {}, scene=SCENE_SIZE)
    write_manifest(pack)
    return folder


def write_graph(path: Path, source: str) -> None:
    model = parser.parse_model('<ir_version: 9, opset_import: ["" : 18]>\n' + source)
    for name, table in TABLES.items():
        if any(name in node.input for node in model.graph.node):
            model.graph.initializer.append(numpy_helper.from_array(table, name))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_pack(folder: Path, *, cross: bool = True, **changes) -> Path:
    """The pack in `folder`; `changes` replace the sources of graphs by name."""
    folder.mkdir(parents=True, exist_ok=True)
    graphs = signature(cross)
    for name, graph in graphs.items():
        source = changes.get(name, SOURCES[name])
        if name == "image" and not cross:
            source = source.replace(", float[batch,1,2,8,24] kv_cross_image", "")
            source = source.replace("kv_cross_image = Neg(kv_visual)", "")
        write_graph(folder / graph.file, source)
    pack = Pack(folder, folder.name, "clip4str", CHARSET, PREPROCESSING, 12, 1, 1.0, graphs, {}, {"scores": {"all": 1}})
    write_manifest(pack)
    return folder


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class PlainGraphs:
    """The same in NumPy."""

    join = staticmethod(join_arrays)

    def __init__(self, cross=True):
        self.with_cross = cross

    def image(self, images):
        kv = images.reshape(len(images), 1, 2, 8, 24)
        return Seen(kv, -kv if self.with_cross else None)

    def text(self, tokens):
        return np.stack([TABLES["key"][tokens], TABLES["value"][tokens]], axis=1)[:, None]

    def visual(self, tokens, kv, mask):
        return softmax(mask) @ TABLES["look"][tokens] + kv.mean(axis=(1, 2, 3))[:, None]

    def cross(self, tokens, kv, mask, memory_mask):
        memory = (kv * softmax(memory_mask)[:, None, None, :, None]).sum(axis=(1, 2, 3))
        return softmax(mask) @ TABLES["look"][tokens] + memory[:, None]


def images(count, seed=0):
    return np.random.default_rng(seed).normal(scale=3, size=(count, 3, 8, 16)).astype(np.float32)
