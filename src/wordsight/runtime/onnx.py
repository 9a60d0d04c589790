"""The engine: a pack's graphs in ONNX Runtime."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from wordsight.decoding import Mode, Passes, Reading, check_mode, join_arrays, read_psm
from wordsight.errors import DeviceError, ModelError
from wordsight.imaging import Preprocessing
from wordsight.runtime.pack import Graph, Pack, Shape, describe
from wordsight.text import Charset

_log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_PACKAGES = {"cuda": "onnxruntime-gpu", "openvino": "onnxruntime-openvino", "coreml": "onnxruntime on macOS"}


class OnnxRecognizer:
    """Reads prepared crops with a pack. Nothing about it changes after construction; threads may share it.

    Args:
        pack: A pack from `load_pack`.
        device: "cpu", "cuda", "coreml" or "openvino" (an error if it cannot be had), or "auto": CUDA where it works,
            else the CPU.
        threads: Threads of one graph run; None for as many as there are processors for this process.
        mode: How it decodes: "full", "visual" or "parallel", see `read_psm`.
        refine_iters: Refinements; None for what the pack says.

    Raises:
        DeviceError: the device is not available.
        ConfigError: there is no such mode.
        ModelError: a graph cannot be loaded or is not what the pack says.
    """

    def __init__(
        self,
        pack: Pack,
        device: str = "auto",
        threads: int | None = None,
        *,
        mode: Mode = "full",
        refine_iters: int | None = None,
    ) -> None:
        self.pack = pack
        self.mode = mode
        self.refine_iters = pack.refine_iters if refine_iters is None else refine_iters
        check_mode(mode, self.refine_iters)
        self.threads = threads or _processors()
        self.provider = _choose(pack, device, self.threads)
        self._spec = pack.psm
        self._graphs = OnnxGraphs(pack, self.provider, self.threads, cross=mode != "visual")

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops have to be prepared."""
        return self.pack.preprocessing

    @property
    def charset(self) -> Charset:
        """What it can write."""
        return self.pack.charset

    def read(self, images: Floats) -> list[Reading]:
        """Read prepared crops (B, 3, H, W) as one batch. A crop's reading does not depend on the others."""
        return self.read_counted(images)[0]

    def read_counted(self, images: Floats) -> tuple[list[Reading], Passes]:
        """`read`, and how often each graph ran."""
        return read_psm(
            self._graphs,
            images,
            self._spec,
            mode=self.mode,
            refine_iters=self.refine_iters,
            temperature=self.pack.temperature,
        )


class OnnxGraphs:
    """`PsmGraphs` over ONNX Runtime sessions: see there for the methods. Without `cross` half of them stay on disk."""

    join = staticmethod(join_arrays)

    def __init__(self, pack: Pack, provider: str, threads: int, *, cross: bool = True) -> None:
        names = pack.graphs if cross else ("image", "visual")
        self._sessions = {name: _session(pack, name, provider, threads) for name in names}

    def image(self, images: Floats) -> tuple[Floats, Floats | None]:
        """Run `image`."""
        out = self._run("image", image=images)
        return out[0], out[1] if len(out) > 1 else None

    def text(self, tokens: Ids) -> Floats:
        """Run `text`."""
        return self._run("text", tokens=tokens)[0]

    def visual(self, tokens: Ids, kv: Floats, mask: Floats) -> Floats:
        """Run `visual`."""
        return self._run("visual", tokens=tokens, kv=kv, mask=mask)[0]

    def cross(self, tokens: Ids, kv: Floats, mask: Floats, memory_mask: Floats) -> Floats:
        """Run `cross`."""
        return self._run("cross", tokens=tokens, kv=kv, mask=mask, memory_mask=memory_mask)[0]

    def _run(self, name: str, **inputs: npt.NDArray[Any]) -> Sequence[Floats]:
        outputs: Sequence[Floats] = self._sessions[name].run(None, inputs)
        return outputs


def _processors() -> int:
    """Those that this process may use, which in a container are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose(pack: Pack, device: str, threads: int) -> str:
    """The execution provider for `device`, tried out on the smallest graph: it may be listed and yet not start."""
    if device != "auto" and device not in PROVIDERS:
        raise DeviceError(f"there is no device {device!r}: choose auto, {', '.join(PROVIDERS)}")
    available = ort.get_available_providers()
    if device == "auto":
        if PROVIDERS["cuda"] in available:
            try:
                _session(pack, "visual", PROVIDERS["cuda"], threads)
            except DeviceError as error:
                _log.warning("%s; reading on the CPU", error)
            else:
                return PROVIDERS["cuda"]
        return PROVIDERS["cpu"]
    if PROVIDERS[device] not in available:
        names = ", ".join(name for name, provider in PROVIDERS.items() if provider in available)
        raise DeviceError(
            f"device {device!r} is not in this ONNX Runtime (it has: {names}): install {_PACKAGES.get(device, device)}"
        )
    return PROVIDERS[device]


def _session(pack: Pack, name: str, provider: str, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    # Waiting threads sleep. Spinning ones made a read slower whenever another program (or another of our sessions)
    # wanted the processor: on two busy cores, image graph, batch 1: 13 ms a call instead of 7.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Every batch size and word length is another shape; plans for each would be kept for good.
    options.enable_mem_pattern = False
    path = pack.folder / pack.graphs[name].file
    try:
        session = ort.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model pack {pack.folder}: {path.name} cannot be loaded ({reason}): export it again"
        ) from None
    if session.get_providers()[0] != provider:
        used = session.get_providers()[0]
        raise DeviceError(f"{provider} did not start, ONNX Runtime would use {used}: check its drivers, or use cpu")
    _check(pack, pack.graphs[name], session)
    return session


def _check(pack: Pack, graph: Graph, session: Any) -> None:
    """The loaded graph has the names and shapes that the pack states."""
    sides = (("inputs", graph.inputs, session.get_inputs()), ("outputs", graph.outputs, session.get_outputs()))
    for side, stated, nodes in sides:
        found: dict[str, Shape] = {node.name: tuple(node.shape) for node in nodes}
        if not _alike(stated, found):
            raise ModelError(
                f"model pack {pack.folder}: {graph.file} has {side} {describe(found)}, "
                f"the pack states {describe(stated)}: export it again"
            )


def _alike(stated: Any, found: Any) -> bool:
    """Same names in the same order, same sizes; the name of a size that varies does not matter."""

    def fixed(shape: Shape) -> list[int | None]:
        return [d if isinstance(d, int) else None for d in shape]

    return list(stated) == list(found) and all(fixed(stated[name]) == fixed(found[name]) for name in stated)
