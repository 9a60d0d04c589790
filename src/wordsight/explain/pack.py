"""Attention weights of a model pack: its decoders' graphs with one more output."""

import onnxruntime as ort

from wordsight.decoding import Floats
from wordsight.decoding.arrays import Array
from wordsight.errors import ModelError
from wordsight.runtime import Pack
from wordsight.runtime.onnx import OnnxEngine
from wordsight.runtime.sessions import session_options

_PROVIDER = "CPUExecutionProvider"


class WatchedPack(OnnxEngine):
    """An engine of a pack that remembers what its decoders looked at last; attributes as of `WatchedTorch`.

    Raises:
        ModelError: a decoder's graph has no softmax to look at.
    """

    def __init__(self, pack: Pack) -> None:
        super().__init__(pack, _PROVIDER, 1)
        self.looks: dict[str, Floats] = {}
        for name in {"visual", "cross"} & pack.graphs.keys():
            self._sessions[name] = _with_attention(pack, name)

    def _run(self, name: str, **inputs: Array | None) -> list[Floats]:
        outputs = list(super()._run(name, **inputs))
        if name in ("visual", "cross"):
            self.looks[name] = outputs.pop().mean(1)
        return outputs


def _with_attention(pack: Pack, name: str) -> ort.InferenceSession:
    """The graph with its last softmax, that over the memory in the last layer, as second output."""
    import onnx

    path = pack.folder / pack.graphs[name].file
    model = onnx.load(path)
    softmax = [node.output[0] for node in model.graph.node if node.op_type == "Softmax"]
    if not softmax:
        raise ModelError(f"model pack {pack.folder}: {path.name} hides its attention: explain its checkpoint instead")
    model.graph.output.append(onnx.helper.make_tensor_value_info(softmax[-1], onnx.TensorProto.FLOAT, None))
    return ort.InferenceSession(model.SerializeToString(), session_options(1), providers=[_PROVIDER])
