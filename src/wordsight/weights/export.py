"""Writing trained recognizers and detectors as packs of ONNX graphs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from wordsight.decoding import Graph
from wordsight.detect.packs import GLANCE, GRAPH, DetectorPack, find_detector, write_detector
from wordsight.errors import ConfigError, ModelError
from wordsight.files import filling
from wordsight.imaging.preprocess import WIDTH_STEP
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.ppocr import Db
from wordsight.models.ppocr.detector import STRIDE
from wordsight.models.quiet import quietly
from wordsight.models.reading import TorchEngine
from wordsight.models.recognizer import GraphModule, Recognizer
from wordsight.runtime.pack import MANIFEST, TOKENIZER, FastPath, Pack, load_pack, write_manifest
from wordsight.runtime.signatures import SCENE, input_shape, scene_graph, with_scenes
from wordsight.text import ClipCaptions, HubCaptions
from wordsight.weights.quantize import MARGIN, to_int8
from wordsight.weights.storage import shrink

WEIGHTS = ("float16", "float32", "int8")
OPSET = 20  # has Gelu and LayerNormalization as single operators
_CAPTIONS: dict[type, Literal["clip", "hub"]] = {ClipCaptions: "clip", HubCaptions: "hub"}
IDS = ("tokens", "scene_index")  # inputs that are int64
_SETTINGS = ("threshold", "min_score", "unclip", "suspicion")  # of a detector
LARGEST = int(1.9e9)  # bytes; a protobuf message ends at 2 GiB


def export_pack(
    model: Recognizer,
    out: str | Path,
    *,
    name: str,
    weights: str = "float16",
    int8: bool = False,
    cross: bool = True,
    temperature: float = 1.0,
    about: Mapping[str, Any] | None = None,
    scenes: SceneEncoder | None = None,
    graphs: Mapping[str, onnx.ModelProto] | None = None,
) -> Pack:
    """Write `model` as a pack into the folder `out`, and read it back, verified.

    Args:
        model: A recognizer of the registry, on the CPU. It is not changed.
        out: The folder, made if need be; a pack in it is replaced.
        name: What the pack calls itself.
        weights: How large weights are stored: "float16", "float32" or "int8". All are float32 again when the pack is
            loaded.
        int8: Add an image graph that computes in int8, of models that decode by `psm`, with which words are read first,
            and again in float32 where they are in doubt.
        cross: False leaves the cross-modal branch out, for a model whose visual branch alone is trained.
        temperature: Divides the logits before the softmax.
        about: Training data, scores, licence and whatever else a user may want to know, in plain JSON types.
        scenes: The encoder of a model that takes scenes; None: the one that its configuration names.
        graphs: What `export_graphs` made of the model, to write several packs of it. They are not changed.

    Raises:
        ConfigError: `weights` is unknown, int8 is not for this model, or the scene encoder does not suit the model.
        ModelError: the scene encoder cannot be loaded.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"weights cannot be stored as {weights!r}: choose one of {', '.join(WEIGHTS)}")
    if int8 and not model.kind.has_margins:
        raise ConfigError(f"int8 arithmetic is for PARSeq and CLIP4STR, this model decodes by {model.kind.name!r}")
    if model.clipter is not None and scenes is None:
        scenes = SceneEncoder.of(model.clipter, download=False)
    protos = export_graphs(model, cross=cross, scenes=scenes) if graphs is None else graphs
    cfg, spec = model.cfg, model.cfg.spec
    out = Path(out)
    captions = spec.captions if "cross" in protos else None
    encoder = {} if scenes is None else {"scene_encoder": scenes.identity}
    pack = Pack(
        folder=out,
        name=name,
        architecture=model.architecture,
        charset=cfg.charset,
        preprocessing=cfg.preprocessing,
        max_length=cfg.max_length,
        refine_iters=model.kind.refinements,
        temperature=temperature,
        graphs=signature(model, "cross" in protos, scenes),
        files={},
        about=dict(about or {}) | encoder | {"weights": weights},
        captions=_CAPTIONS.get(type(captions), "characters"),
        caption_context=captions.context if isinstance(captions, ClipCaptions | HubCaptions) else None,
        cross_steps="visual" if captions and spec.cross_steps == "visual" else "own",
        kind=model.kind,
        scene=None if scenes is None else scenes.preprocessing,
        scene_centre=scenes is not None and scenes.centre_crop,
        fast=FastPath("quick.onnx", MARGIN) if int8 else None,
        config={key: value for key, value in cfg.to_dict().items() if key not in ("charset", "hub")},
    )
    with filling(out, last=MANIFEST) as folder:  # a half-written pack is never seen
        for graph_name, graph in protos.items():
            proto = _copy(graph)
            shrink(proto, weights)
            _save(proto, folder / pack.graphs[graph_name].file)
        if pack.fast:
            proto = _copy(protos["image"])
            to_int8(proto)
            _save(proto, folder / pack.fast.file)
        if isinstance(captions, ClipCaptions):
            (folder / TOKENIZER).write_bytes(captions.tokenizer.json())
        elif isinstance(captions, HubCaptions):
            (folder / TOKENIZER).write_bytes(captions.tokenizer.encode())
        write_manifest(replace(pack, folder=folder))
    return load_pack(out)


def export_graphs(
    model: Recognizer, *, cross: bool = True, scenes: SceneEncoder | None = None
) -> dict[str, onnx.ModelProto]:
    """The model's parts, and its scene encoder's if it takes scenes, as float32 ONNX graphs, by name."""
    was_training = model.training
    model.eval()
    try:
        modules: dict[str, nn.Module] = dict(model.graphs(cross))
        graphs = signature(model, cross, scenes)
        if scenes is not None:
            modules[SCENE] = scenes
        return {name: to_onnx(module, graphs[name], model.limits) for name, module in modules.items()}
    finally:
        model.train(was_training)


def signature(model: Recognizer, cross: bool = True, scenes: SceneEncoder | None = None) -> dict[str, Graph]:
    """The graphs of a pack of `model`, which is in eval mode.

    Args:
        model: A recognizer of the registry.
        cross: Whether a cross-modal branch, where there is one, is in the pack.
        scenes: The encoder of a model that takes scenes.
    """
    size, cfg = model.cfg.preprocessing, model.cfg
    images = np.zeros((1, 3, size.height, size.width or 4 * WIDTH_STEP), np.float32)
    made = model.kind.measure(TorchEngine(model, cross), images)
    graphs = model.kind.signature(input_shape(size), cfg.tokenizer.num_classes, cfg.max_length + 1, made)
    if scenes is None:
        return graphs
    tokens = scenes(torch.zeros(1, 3, *scenes.preprocessing.size)).shape[1]
    where = [name for name, graph in model.graphs(cross).items() if graph.takes_scenes]
    assert model.clipter is not None  # noqa: S101  (for the type checker)
    return with_scenes(graphs, where, scene_graph(scenes.preprocessing, tokens, scenes.width), box=model.clipter.box)


def _copy(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Tensor by tensor: protobuf copies nothing over 2 GiB in one piece."""
    tensors = list(graph.graph.initializer)
    del graph.graph.initializer[:]
    out = onnx.ModelProto()
    out.CopyFrom(graph)
    for proto in (graph, out):
        proto.graph.initializer.extend(tensors)
    return out


def _save(proto: onnx.ModelProto, path: Path) -> None:
    """As one file or, over `LARGEST`, with its weights in a second one, *.onnx.data."""
    external = sum(len(tensor.raw_data) for tensor in proto.graph.initializer) > LARGEST
    onnx.save(proto, path, save_as_external_data=external, location=f"{path.name}.data")
    onnx.checker.check_model(str(path))  # by path: one that is too large for a message can be checked so


def to_onnx(module: nn.Module, graph: Graph, limits: Mapping[str, int]) -> onnx.ModelProto:
    """One module as ONNX, with the names and shapes of `graph`; `limits` are the largest sizes of named dimensions."""
    # Traced at 2 or more everywhere: the exporter takes a 1 for a constant.
    example = {"batch": 2, "length": 5, "memory": 40, "text": 4, "scenes": 3, "width": 4 * WIDTH_STEP, "columns": 24}
    named = {d for shape in graph.inputs.values() for d in shape if isinstance(d, str)}
    dims: dict[str, Any] = {d: Dim(d, min=1, max=limits.get(d)) for d in sorted(named)}
    if "width" in dims:
        dims["width"] = WIDTH_STEP * Dim("steps", min=1)
    inputs, dynamic = [], []
    for name, shape in graph.inputs.items():
        sizes = [example[d] if isinstance(d, str) else d for d in shape]
        inputs.append(torch.ones(sizes, dtype=torch.long) if name in IDS else torch.zeros(sizes))
        dynamic.append({i: dims[d] for i, d in enumerate(shape) if isinstance(d, str)})
    sizes_of = (tuple(dynamic),) if isinstance(module, GraphModule) else tuple(dynamic)  # its forward takes *given
    proto = traced(module.eval(), tuple(inputs), sizes_of, graph.inputs, graph.outputs)
    _check_sizes(proto, graph)
    return proto


def _check_sizes(proto: onnx.ModelProto, graph: Graph) -> None:
    """Sizes that vary do so in the graph, too: the exporter can make a constant of one without a word."""
    for value, shape in zip(proto.graph.input, graph.inputs.values(), strict=True):
        for found, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
            if isinstance(size, str) and not found.dim_param:
                raise ModelError(f"{graph.file}: the exporter fixed {size!r} of {value.name} at {found.dim_value}")


def traced(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    dynamic: tuple[Any, ...],
    input_names: Iterable[str],
    output_names: Iterable[str],
) -> onnx.ModelProto:
    """A module as ONNX, without anything of this machine in it.

    Args:
        module: in eval mode.
        inputs: examples, 2 or more everywhere: the exporter takes a 1 for a constant.
        dynamic: which of their sizes vary, see `torch.export`.
        input_names: of the graph.
        output_names: of the graph.
    """
    with quietly("torch.onnx"):  # remarks on its own internals
        program = torch.onnx.export(
            module,
            inputs,
            dynamo=True,
            dynamic_shapes=dynamic,
            input_names=list(input_names),
            output_names=list(output_names),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # noqa: S101  (it is, with dynamo=True)
    proto = program.model_proto
    for part in (proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del part.metadata_props[:]  # stack traces with the paths of this machine
        part.ClearField("doc_string")
    del proto.metadata_props[:], proto.graph.value_info[:]
    return proto


def export_detector(model: Db, out: str | Path, *, name: str, about: Mapping[str, Any] | None = None) -> DetectorPack:
    """Writes `model` as a pack into the folder `out`, and reads it back.

    Args:
        model: on the CPU. It is not changed.
        out: the folder, made if need be.
        name: what the pack calls itself.
        about: training data, scores, licence and the like. Where it has `threshold`, `min_score`, `unclip` or
            `suspicion`, these become the pack's.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    was_training = model.training
    try:
        _write_map(model.eval(), out / GRAPH, STRIDE)
        if model.glance is not None:
            _write_map(nn.Sequential(model.glance, nn.Sigmoid()), out / GLANCE, STRIDE // 2)
    finally:
        model.train(was_training)
    about = dict(about or {})
    glance = out / GLANCE if model.glance is not None else None
    pack = DetectorPack(name, out / GRAPH, model.cfg.mean, model.cfg.std, glance, about=about)
    settings: dict[str, Any] = {key: float(about[key]) for key in _SETTINGS if key in about}
    write_detector(replace(pack, **settings))
    return find_detector(out)


def _write_map(model: nn.Module, file: Path, stride: int) -> None:
    sizes = {0: Dim("batch", min=1), 2: stride * Dim("rows", min=1), 3: stride * Dim("columns", min=1)}
    examples = (torch.zeros(2, 3, 3 * stride, 5 * stride),)
    proto = traced(model, examples, (sizes,), ["images"], ["probability"])
    shrink(proto, "float16")
    _save(proto, file)
