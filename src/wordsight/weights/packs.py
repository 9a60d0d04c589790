"""Turns packs of ours back into PyTorch models, for further training."""

from collections.abc import Iterator

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from wordsight.errors import ModelError
from wordsight.models.config import MALFORMED
from wordsight.models.ppocr import Svtr, SvtrConfig
from wordsight.models.recognizer import Recognizer
from wordsight.models.registry import model_class
from wordsight.runtime.pack import Pack
from wordsight.weights.tensors import some

_INSIDE = {
    "psm": {"visual": "visual_decoder.", "cross": "cross_decoder."},
    "ctc": {"visual": "word_decoder.decoder.", "memory": "word_decoder."},
}
"""Prefix in the model of what graphs of older packs call "decoder", by kind; newer ones call the whole "model"."""


def model_from_pack(pack: Pack) -> Recognizer:
    """The recognizer that a pack was exported from, its weights in the precision in which the pack stores them.

    Raises:
        ModelError: the pack does not state its sizes, takes scenes, or lacks weights that training needs.
    """
    if pack.scene is not None:
        raise ModelError(f"{pack.folder} takes scenes: give the checkpoint that it was exported from")
    model = _untrained(pack)
    state = {name: tensor for graph in pack.graphs for name, tensor in _weights(pack, graph)}
    if missing := [name for name in model.state_dict() if name not in state]:
        raise ModelError(
            f"{pack.folder} lacks weights that training needs ({some(missing)}): give the checkpoint that it was "
            "exported from"
        )
    try:
        model.load_state_dict({name: state[name] for name in model.state_dict()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{pack.folder}: its weights do not have the sizes that it states: {reason}") from None
    return model.eval()


def _untrained(pack: Pack) -> Recognizer:
    if not pack.config and pack.architecture == Svtr.architecture:  # written before packs stated their sizes
        spec = pack.preprocessing
        return Svtr(
            SvtrConfig(charset=pack.charset, margin=spec.margin, stretch=spec.stretch, mean=spec.mean, std=spec.std)
        )
    if not pack.config:
        raise ModelError(f"{pack.folder} does not state the sizes of its network: export it again with this version")
    charset = {"name": pack.charset.name, "characters": pack.charset.characters}
    try:
        model = model_class(pack.architecture).from_config({**pack.config, "charset": charset})
        if not isinstance(model, Recognizer):
            raise TypeError(f"a {pack.architecture} reads nothing")
        return model
    except MALFORMED as error:
        raise ModelError(f"{pack.folder}: the sizes that it states make no network: {error}") from None


def _weights(pack: Pack, graph: str) -> Iterator[tuple[str, Tensor]]:
    """Names in the model and weights of one graph.

    The exporter names all weights but the matrices of linear layers, which it transposes; those belong to the bias that
    is added to their product.
    """
    proto = onnx.load(str(pack.folder / pack.graphs[graph].file)).graph
    constants = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in proto.initializer}
    products = {}
    for node in proto.node:
        known = [constants.get(name) for name in node.input]
        if node.op_type == "Cast" and known[0] is not None:  # from float16 and int8, see `storage`
            constants[node.output[0]] = known[0].float()
        elif node.op_type == "Mul" and all(each is not None for each in known):
            constants[node.output[0]] = known[0] * known[1]  # type: ignore[operator]
        elif node.op_type == "MatMul" and known[1] is not None:
            products[node.output[0]] = known[1].T
        elif node.op_type == "Add" and node.input[0] in products and node.input[1].endswith(".bias"):
            weight = f"{node.input[1].removesuffix('bias')}weight"
            constants[weight] = products[node.input[0]]
    for name, tensor in constants.items():
        place, _, rest = name.partition(".")
        if place == "model":
            yield rest, tensor
        elif place == "decoder":
            yield _INSIDE.get(pack.kind.name, {}).get(graph, "") + rest, tensor
