"""PP-OCRv6's weights: out of the ONNX files that the `rapidocr` wheel carries, and out of folders of the hub."""

import unicodedata
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from wordsight.errors import ModelError
from wordsight.models.ppocr import Db, DbConfig, Svtr, SvtrConfig
from wordsight.text import Charset


def rapidocr_file(name: str) -> Path:
    """The path of a model in the `rapidocr` wheel, "rec" or "det".

    Raises:
        ModelError: the package is not installed, or does not carry it.
    """
    spec = find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec is not None and spec.origin else Path()
    path = folder / f"PP-OCRv6_{name}_small.onnx"
    if spec is None or not path.is_file():
        raise ModelError(f"PP-OCRv6's {name} model comes with rapidocr 3.10: pip install 'rapidocr>=3.10,<4'")
    return path


def svtr_from_onnx(path: Path) -> Svtr:
    """A recognizer of PP-OCRv6's in PyTorch, all its characters included: equal to the file within rounding.

    Four of its characters are other spellings of some that it has too (the Angstrom sign): their rows are left out.

    Args:
        path: the ONNX file, of the sizes of PP-OCRv6 small; `rapidocr_file("rec")` is one.

    Raises:
        ModelError: it is another file.
    """
    classes = ["", *onnx_characters(path), " "]
    rows = [row for row, character in enumerate(classes) if unicodedata.is_normalized("NFC", character)]
    model = Svtr(SvtrConfig(charset=Charset("ppocr", "".join(classes[row] for row in rows))))
    head = nn.Linear(model.head.in_features, len(classes))
    fill_from_onnx((model.image_encoder, model.neck, head), path)
    model.head.load_state_dict({"weight": head.weight[rows], "bias": head.bias[rows]})
    return model.eval()


def db_from_onnx(path: Path) -> Db:
    """A detector of PP-OCRv6's in PyTorch: equal to the file within rounding.

    Args:
        path: the ONNX file, of the sizes of PP-OCRv6 small; `rapidocr_file("det")` is one.

    Raises:
        ModelError: it is another file.
    """
    model = Db(DbConfig())
    coarsest_first = [layer for layers in model.neck.children() for layer in reversed(list(layers.children()))]
    fill_from_onnx((model.image_encoder, *coarsest_first, model.head), path)
    return model.eval()


def onnx_characters(path: Path) -> list[str]:
    """The characters that a recognizer of PP-OCR's writes, the space left out.

    Raises:
        ModelError: the file names none.
    """
    model = onnx.load(str(path), load_external_data=False)
    lists = [entry.value.split("\n") for entry in model.metadata_props if entry.key == "character"]
    if len(lists) != 1:
        raise ModelError(f"{path} does not name its characters: it is not a recognizer of PP-OCR's")
    return list(lists[0])


def fill_from_onnx(networks: Sequence[nn.Module], path: Path) -> None:
    """Fills networks with the weights of an ONNX file of PP-OCR's, in place.

    In the file layers have no names that say where they belong, but stand in the order in which they run, and so do
    those of the networks here.

    Args:
        networks: in the order in which they run.
        path: the file.

    Raises:
        ModelError: its layers are not those of the networks.
    """
    found = list(_onnx_layers(path))
    layers = [layer for network in networks for layer in network.modules() if isinstance(layer, _LAYERS)]
    if len(found) != len(layers):
        raise ModelError(f"{path} has {len(found)} layers with weights, this network {len(layers)}")
    weight, bias = found[0]
    found[0] = weight.flip(1), bias  # PP-OCR's pictures are BGR, ours RGB
    for layer, (weight, bias) in zip(layers, found, strict=True):
        if _sizes(layer.weight) != _sizes(weight):
            raise ModelError(f"{path}: a layer has the shape {tuple(weight.shape)}, not {tuple(layer.weight.shape)}")
        with torch.no_grad():
            for ours, theirs in zip(layer.parameters(), (weight.reshape(layer.weight.shape), bias), strict=True):
                ours.copy_(theirs)


_LAYERS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.LayerNorm)


def _sizes(weight: Tensor) -> list[int]:
    """Without those of 1: a 1x1 convolution of a row is a matrix product."""
    return [size for size in weight.shape if size != 1]


def _onnx_layers(path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution, matrix product and layer norm of a file, in the order in which they run."""
    graph = onnx.load(str(path)).graph
    values = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    after: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            after.setdefault(name, []).append(node)

    def added(name: str, channels: int | None = None) -> tuple[Tensor | None, Any]:
        """The constant that the next node adds to a value (of `channels` numbers, or of several), and that node."""
        for node in after.get(name, ()):
            if node.op_type == "Identity":
                return added(node.output[0], channels)
            if node.op_type in ("Add", "Mul", "BatchNormalization"):
                for other in node.input:
                    count = values[other].numel() if other in values else 0
                    if count > 1 if channels is None else count == channels:
                        return values[other].flatten(), node
        return None, None

    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in values:
            weight = values[node.input[1]]
            channels = weight.shape[0] if node.op_type == "Conv" else weight.shape[1]
            given = len(node.input) > 2
            shift, following = (values[node.input[2]], None) if given else added(node.output[0], channels)
            bias = torch.zeros(channels) if shift is None else shift
            if following is not None and following.op_type == "BatchNormalization":
                norm = [values[name] for name in following.input[1:]]
                eps = next((a.f for a in following.attribute if a.name == "epsilon"), 1e-5)
                weight, bias = folded(weight, torch.zeros(channels), *norm, eps=eps)
            yield weight, bias
        elif node.op_type == "MatMul" and node.input[1] in values:
            shift, _ = added(node.output[0])
            if shift is None:
                raise ModelError(f"{path}: the matrix product {node.name} has no bias, as PP-OCR's have")
            yield values[node.input[1]].T, shift
        elif node.op_type == "Div":  # the end of a layer norm, or of nothing with weights
            scale, scaled = added(node.output[0])
            if scale is not None and scaled.op_type == "Mul":
                shift, _ = added(scaled.output[0])
                if shift is not None:
                    yield scale, shift


def folded(
    weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, *, eps: float
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution (out, ...) that does what it and the batch norm after it did."""
    factor = scale / (variance + eps).sqrt()
    return weight * factor.view(-1, *(1,) * (weight.ndim - 1)), (bias - mean) * factor + shift
