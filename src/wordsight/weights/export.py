"""Writing a trained recognizer as a pack of ONNX graphs."""

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from wordsight.errors import ConfigError, ModelError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str.graphs import DecoderGraph, ImageGraph, TextGraph
from wordsight.runtime.pack import Graph, Pack, load_pack, psm_graphs, write_manifest
from wordsight.weights.storage import shrink

WEIGHTS = ("float16", "float32", "int8")
OPSET = 20  # has Gelu and LayerNormalization as single operators
LARGEST = int(1.9e9)  # bytes; a protobuf file ends at 2 GiB


def export_pack(
    model: Clip4Str,
    out: str | Path,
    *,
    name: str,
    weights: str = "float16",
    cross: bool = True,
    temperature: float = 1.0,
    about: Mapping[str, Any] | None = None,
) -> Pack:
    """Write `model` as a pack into the folder `out`, and read it back, verified.

    Args:
        model: The recognizer; its weights are not changed.
        out: The folder, made if need be; a pack in it is replaced.
        name: What the pack calls itself.
        weights: How large weights are stored: "float16" (half the size), "float32" or "int8" (a quarter). All are
            float32 again when the pack is loaded.
        cross: False leaves the cross-modal branch out, for a model whose visual branch alone is trained.
        temperature: Divides the logits before probabilities are made of them.
        about: Training data, scores, licence and whatever else a user may want to know, in plain JSON types.

    Raises:
        ConfigError: `weights` is unknown.
        ModelError: a graph is too large for one file.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"weights cannot be stored as {weights!r}: choose one of {', '.join(WEIGHTS)}")
    cfg = model.cfg
    rows, columns = cfg.image.grid
    memory = rows * columns + int(cfg.image.class_token)
    classes = model.tokenizer.num_classes
    graphs = psm_graphs(cfg.preprocessing, classes, cfg.decoder.depth, memory, cfg.embed_dim, cross=cross)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pack = Pack(
        folder=out,
        name=name,
        architecture="clip4str",
        charset=cfg.charset,
        preprocessing=cfg.preprocessing,
        max_length=cfg.max_length,
        refine_iters=1,
        temperature=temperature,
        graphs=graphs,
        files={},
        about=dict(about or {}) | {"weights": weights},
    )
    # A half-written pack is never seen: files come over when all of them are done.
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as scratch, _eval_mode(model):
        folder = Path(scratch)
        for graph_name, module in _modules(model, cross).items():
            proto = to_onnx(module, graphs[graph_name], {"length": cfg.max_length + 1, "text": cfg.max_length + 2})
            shrink(proto, weights)
            if proto.ByteSize() > LARGEST:
                raise ModelError(f"graph {graph_name!r} of {name} has {proto.ByteSize()} bytes: store smaller weights")
            onnx.checker.check_model(proto)
            onnx.save(proto, folder / graphs[graph_name].file)
        write_manifest(replace(pack, folder=folder))
        for file in sorted(folder.iterdir()):
            shutil.move(file, out / file.name)
    return load_pack(out)


def _modules(model: Clip4Str, cross: bool) -> dict[str, nn.Module]:
    modules: dict[str, nn.Module] = {"image": ImageGraph(model, cross), "visual": DecoderGraph(model.visual_decoder)}
    if cross:
        modules |= {"text": TextGraph(model), "cross": DecoderGraph(model.cross_decoder)}
    return modules


def to_onnx(module: nn.Module, graph: Graph, limits: Mapping[str, int]) -> onnx.ModelProto:
    """One module as ONNX, with the names and shapes of `graph`; `limits` are the largest sizes of named dimensions."""
    # Traced at 2 or more everywhere: the exporter takes a 1 for a constant.
    example = {"batch": 2, "length": 5, "memory": 40, "text": 4}
    named = {d for shape in graph.inputs.values() for d in shape if isinstance(d, str)}
    dims = {d: Dim(d, min=1, max=limits.get(d)) if d in limits else Dim(d, min=1) for d in sorted(named)}
    inputs, dynamic = [], []
    for name, shape in graph.inputs.items():
        sizes = [example[d] if isinstance(d, str) else d for d in shape]
        inputs.append(torch.ones(sizes, dtype=torch.long) if name == "tokens" else torch.zeros(sizes))
        dynamic.append({i: dims[d] for i, d in enumerate(shape) if isinstance(d, str)})
    with _quiet():
        proto = _export(module.eval(), tuple(inputs), tuple(dynamic), graph)
    for part in (proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del part.metadata_props[:]  # stack traces with the paths of this machine
        part.ClearField("doc_string")
    del proto.metadata_props[:], proto.graph.value_info[:]
    return proto


def _export(
    module: nn.Module, inputs: tuple[Tensor, ...], dynamic: tuple[dict[int, Any], ...], graph: Graph
) -> onnx.ModelProto:
    program = torch.onnx.export(
        module,
        inputs,
        dynamo=True,
        dynamic_shapes=dynamic,
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # noqa: S101  (it is, with dynamo=True)
    return program.model_proto


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
